"""Which code is running."""

import subprocess
from pathlib import Path

import mast


def code_version() -> str:
    """The commit of the source tree, with `-dirty` if files differ from it; `mast 0.1.0` outside a git checkout."""
    source = Path(mast.__file__).resolve().parents[1]
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"mast {mast.__version__}"
