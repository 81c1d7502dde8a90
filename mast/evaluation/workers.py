"""Batches that other processes read. Their errors are raised here unchanged, and no process outlives its work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from torch.utils.data import DataLoader, Dataset

from mast.errors import MastError

_LOST = "DataLoader worker (pid"
"""Start of torch's message for a process that has died."""


class Reported(Dataset[Any]):
    """Examples of a dataset; an example that cannot be read is replaced by the error that was raised.

    torch would raise another error, with the text of both processes' tracebacks.
    """

    def __init__(self, examples: Dataset[Any]) -> None:
        """Keep the examples to read."""
        self.examples = examples

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.examples)

    def __getitem__(self, position: int) -> Any:
        """Return one example, or MastError or MemoryError."""
        try:
            return self.examples[position]
        except (MastError, MemoryError) as error:
            return error


class Batches:
    """The batches of a loader of `Reported`, once. Its processes end with the last batch, or when it is closed."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        """Start to read."""
        self._iterator = iter(loader)

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> list[Any]:
        """Return the next batch.

        Raises:
            MastError: an example in it cannot be read.
            MemoryError: reading an example ran out of memory.
        """
        examples = next(self._iterator)
        for example in examples:
            if isinstance(example, Exception):
                raise example
        return examples

    def close(self) -> None:
        """End the processes and wait for them. They ignore signals and would otherwise not end."""
        end = getattr(self._iterator, "_shutdown_workers", None)  # torch has no public name for this
        if end is not None:
            end()


@contextmanager
def reading(place: object) -> Iterator[None]:
    """Turn the loss of a process that reads images of `place` into a clear error, wherever torch raises it.

    Raises:
        MastError: such a process was killed, e.g. because memory ran out.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith(_LOST):
            raise
        raise MastError(
            f"{place}: a process that read its images was killed, as happens when memory runs out (or /dev/shm is "
            "full); give the job more memory or fewer --threads, then run again"
        ) from None
