"""run.json: what produced an encoder."""

import platform
import socket
from importlib.metadata import version
from typing import Any

import torch

import mast
from mast.commit import code_version

PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "safetensors", "scikit-learn", "snakemake")


def provenance(device: torch.device, threads: int) -> dict[str, Any]:
    """Versions, commit, host and device of this process."""
    return {
        "mast": mast.__version__,
        "commit": code_version(),
        "python": platform.python_version(),
        "packages": {package: version(package) for package in PACKAGES},
        "host": socket.gethostname(),
        "cpu": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": threads,
    }
