"""Batches that other processes read: an error there is the same error here, and no process outlives its work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from torch.utils.data import DataLoader, Dataset

from mast.errors import MastError

_LOST = "DataLoader worker (pid"
"""How torch begins to say that a process is gone."""


class Reported(Dataset[Any]):
    """Examples of a dataset, or in an example's place the error that reading it raised.

    torch would raise an error of its own, with the text of both processes' tracebacks.
    """

    def __init__(self, examples: Dataset[Any]) -> None:
        """Read `examples`."""
        self.examples = examples

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.examples)

    def __getitem__(self, position: int) -> Any:
        """One example, or MastError or MemoryError."""
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
        """Itself."""
        return self

    def __next__(self) -> list[Any]:
        """The next batch.

        Raises:
            MastError: an example of it cannot be read.
            MemoryError: likewise.
        """
        examples = next(self._iterator)
        for example in examples:
            if isinstance(example, Exception):
                raise example
        return examples

    def close(self) -> None:
        """End the processes and wait for them. They ignore signals, so that otherwise they would be waited for."""
        end = getattr(self._iterator, "_shutdown_workers", None)  # torch has no public name for it
        if end is not None:
            end()


@contextmanager
def reading(place: object) -> Iterator[None]:
    """Name the loss of a process that reads images of `place`. Torch raises it wherever this process happens to be.

    Raises:
        MastError: such a process was killed, e.g. for want of memory.
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
