"""How a process that computes is set up: threads and memory allocation. Call it before numpy or torch is imported."""

import ctypes
import os
import sys

from mast.gpus import take_gpus

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h
_KEEP_BYTES = 2**30


def set_up_process(threads: int) -> None:
    """Let numerical libraries use `threads` threads, and keep freed memory in the process.

    glibc returns blocks above 128 KiB to the kernel as soon as they are freed, so that each training step on a CPU
    faults its activations in anew; with thresholds of 1 GiB the blocks are reused.
    """
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:  # absent from C libraries other than glibc
            mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
            mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)


def choose_device(gpus: int | None) -> str:
    """The torch device for a number of GPUs: `cpu` for 0, `cuda` for more, whichever there is for None.

    GPUs asked for by number are this process's own (mast.gpus), unless a launcher has started it among several.

    Raises:
        MastError: there are fewer GPUs.
    """
    if gpus is None:
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
    if gpus and "WORLD_SIZE" not in os.environ:
        take_gpus(gpus)
    return "cuda" if gpus else "cpu"


def become_several(processes: int | None, threads: int) -> None:
    """Start this command again, once for each of `processes` GPUs, which share its threads; not if that is done."""
    if (processes or 0) <= 1 or "WORLD_SIZE" in os.environ:
        return
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--module", "--"]
    own = ["--threads", str(max(1, threads // processes))]  # argparse takes the last one
    os.execv(sys.executable, [sys.executable, *launcher, "mast.cli", *sys.argv[1:], *own])
