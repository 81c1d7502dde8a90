"""Running out of memory, on a GPU or not, told as something that the user can put right."""

from collections.abc import Iterator
from contextlib import contextmanager

from mast.errors import MastError

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED", "bad_alloc")
"""What torch writes: its allocators on GPUs and CPUs, CUDA itself, cuBLAS. Not all have an exception of their own."""


@contextmanager
def memory_for(what: str, remedy: str = "choose fewer, or give the job more") -> Iterator[None]:
    """Within the block, memory that does not suffice is a MastError: `what` does not fit, and `remedy` is what to do.

    Raises:
        MastError: the memory does not suffice.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if (reason := shortage(error)) is None:
            raise
        raise MastError(f"{what}: does not fit into memory ({reason}); {remedy}") from None


def shortage(error: BaseException) -> str | None:
    """The sentence of an error that says that memory does not suffice; None of any other error."""
    sentences = " ".join(str(error).split()).split(". ")
    telling = [sentence for sentence in sentences if any(sign in sentence for sign in _SIGNS)]
    if not telling and isinstance(error, MemoryError):
        telling = [sentences[0] or "no memory left"]
    return telling[0] if telling else None
