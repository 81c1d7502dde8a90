"""The GPUs of this machine, and their reservation by processes.

Snakemake counts the GPUs of its jobs but does not assign them. SLURM assigns them with CUDA_VISIBLE_DEVICES, and so
does this module.
"""

import fcntl
import os
import tempfile
import time
from pathlib import Path

from mast.errors import MastError

VARIABLE = "CUDA_VISIBLE_DEVICES"
LOCKS = Path(tempfile.gettempdir()) / f"mast-gpus-{os.getuid()}"
SECONDS_BETWEEN_LOOKS = 1.0


def visible_gpus() -> list[str]:
    """Return the entries of CUDA_VISIBLE_DEVICES or, if it is not set, the numbers of this machine's NVIDIA GPUs."""
    listed = os.environ.get(VARIABLE)
    if listed is None:
        return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]
    return [name for name in map(str.strip, listed.split(",")) if name not in ("", "-1")]


def take_gpus(count: int) -> None:
    """Let this process see only `count` GPUs, which no other process has taken; wait until so many are free.

    They stay reserved until the process ends, also after an exec. If CUDA_VISIBLE_DEVICES already lists `count` GPUs, a
    scheduler has chosen them, and nothing is done.

    Raises:
        MastError: there are fewer.
    """
    names = visible_gpus()
    if len(names) < count:
        raise MastError(
            f"gpus: {count} asked for, and {len(names)} found here; "
            f"ask for no more (resources in the configuration), or list them in {VARIABLE}"
        )
    if VARIABLE in os.environ and len(names) == count:
        return
    while (taken := _locked(names, count)) is None:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.environ[VARIABLE] = ",".join(taken)


def _locked(names: list[str], count: int) -> list[str] | None:
    """Return `count` of the GPUs, locked, or None if so many are not free (then none is locked)."""
    LOCKS.mkdir(exist_ok=True)
    held: dict[str, int] = {}
    for name in names:
        if len(held) < count and (lock := _lock(LOCKS / name)) is not None:
            held[name] = lock
    if len(held) == count:
        return list(held)
    for lock in held.values():
        os.close(lock)
    return None


def _lock(path: Path) -> int | None:
    """Return an open, locked file, or None if another process has locked it. The kernel unlocks it when the process
    ends.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    os.set_inheritable(file, True)
    return file
