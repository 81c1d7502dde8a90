"""Fixtures for the workflow on a cluster, through profiles/slurm; these tests need SLURM."""

from collections.abc import Callable
from pathlib import Path

import pytest
from slurm_lab.cluster import Cluster
from slurm_lab.fixtures import cluster, prepare
from slurm_lab.workflow import Workflow
from support import ROOT

__all__ = ["cluster"]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    prepare(items, Path(__file__).parent)


@pytest.fixture
def workflow(tmp_path: Path, cluster: Cluster) -> Callable[[str], Workflow]:
    options = ("--profile", str(ROOT / "profiles/slurm"))
    return lambda snakefile: Workflow(tmp_path, cluster, snakefile, options)
