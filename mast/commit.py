"""Version of the code that is running."""

import subprocess
from pathlib import Path

import mast


def code_version() -> str:
    """Return the commit of the source tree, with `-dirty` if files differ from it; `mast 0.1.0` outside a git checkout.

    A repository counts only if it tracks this package's own file: an installation may be inside an unrelated one.
    """
    package = Path(mast.__file__).resolve()
    own = f"{package.parent.name}/{package.name}"
    try:
        _git(package.parents[1], "ls-files", "--error-unmatch", "--", own)
        return _git(package.parents[1], "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return f"mast {mast.__version__}"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
