"""Set-up of a process that computes: threads and memory allocation. Call it before numpy or torch is imported."""

import ctypes
import os
import sys

from mast.gpus import take_gpus

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc, malloc.h
_KEEP_BYTES = 2**30


def set_up_process(threads: int) -> None:
    """Let numerical libraries use `threads` threads, and keep freed memory in the process.

    glibc returns blocks above 128 KiB to the kernel as soon as they are freed, so each training step on a CPU causes
    page faults for its activations again. With thresholds of 1 GiB the blocks are reused.
    """
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:  # C libraries other than glibc do not have it
            mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
            mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)


def choose_device(gpus: int | None) -> str:
    """Return the torch device for a number of GPUs: `cpu` for 0, `cuda` for more, and whichever exists for None.

    A given number of GPUs is reserved for this process (mast.gpus), unless a launcher has started several processes.

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
    """Restart this command once for each of `processes` GPUs; the processes share the threads. Do nothing if already
    done.
    """
    if (processes or 0) <= 1 or "WORLD_SIZE" in os.environ:
        return
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--module", "--"]
    own = ["--threads", str(max(1, threads // processes))]  # argparse takes the last one
    os.execv(sys.executable, [sys.executable, *launcher, "mast.cli", *sys.argv[1:], *own])
