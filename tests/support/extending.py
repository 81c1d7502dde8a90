"""A copy of the checkout to which a test adds one file, as docs/use/extending.md describes."""

import re
import shutil
from pathlib import Path

from support import ROOT
from support.projects import Project

PAGE = "docs/use/extending.md"


def copied_checkout(directory: Path) -> Project:
    """A copy of what a user has who clones the project, to run the workflow in."""
    for folder in ("mast", "workflow", "profiles", "config"):
        shutil.copytree(ROOT / folder, directory / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", directory)
    return Project(directory, checkout=directory)


def example(section: str, language: str) -> str:
    """The first block of a language in a section of the page."""
    text = (ROOT / PAGE).read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.search(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)[1]
