"""Facts for run.json: how an encoder was produced."""

import platform
import socket
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

import mast
from mast.commit import code_version

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "safetensors", "scikit-learn", "snakemake")


def provenance(device: torch.device, threads: int) -> dict[str, Any]:
    """Return versions, commit, host and device of this process."""
    return {
        "mast": mast.__version__,
        "commit": code_version(),
        "python": platform.python_version(),
        "packages": dict(_versions()),
        "host": socket.gethostname(),
        "cpu": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": threads,
    }


def _versions() -> Iterator[tuple[str, str]]:
    """Return the versions of the installed packages; training alone does not need Snakemake."""
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            yield package, version(package)
