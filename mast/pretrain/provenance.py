"""run.json: what produced an encoder."""

import platform
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import mast

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scikit-learn", "snakemake")


def provenance(device: torch.device, threads: int) -> dict[str, Any]:
    """Versions, commit, host and device of this process."""
    return {
        "mast": mast.__version__,
        "commit": git_commit(),
        "python": platform.python_version(),
        "packages": {package: version(package) for package in PACKAGES},
        "host": socket.gethostname(),
        "cpu": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": threads,
    }


def git_commit() -> str | None:
    """The commit of the source tree, with `-dirty` if files differ from it; None outside a git checkout."""
    source = Path(mast.__file__).resolve().parents[1]
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
