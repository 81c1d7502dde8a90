"""Out-of-memory errors, on a GPU or a CPU, as errors that the user can correct."""

from collections.abc import Iterator
from contextlib import contextmanager

from mast.errors import MastError

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED", "bad_alloc")
"""Phrases of torch's messages: allocators on GPUs and CPUs, CUDA itself, cuBLAS. Not all have their own exception type.
"""


@contextmanager
def memory_for(what: str, remedy: str = "choose fewer, or give the job more") -> Iterator[None]:
    """Turn an out-of-memory error within the block into a MastError: `what` does not fit; `remedy` is the advice.

    Raises:
        MastError: memory ran out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if (reason := shortage(error)) is None:
            raise
        raise MastError(f"{what}: does not fit into memory ({reason}); {remedy}") from None


def shortage(error: BaseException) -> str | None:
    """Return the sentence of an error that reports missing memory; None for any other error."""
    sentences = " ".join(str(error).split()).split(". ")
    telling = [sentence for sentence in sentences if any(sign in sentence for sign in _SIGNS)]
    if not telling and isinstance(error, MemoryError):
        telling = [sentences[0] or "no memory left"]
    return telling[0] if telling else None
