"""Results to damage."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def results(finished_results: Path, tmp_path: Path) -> Path:
    """A copy of them, to damage."""
    return shutil.copytree(finished_results, tmp_path / "results")
