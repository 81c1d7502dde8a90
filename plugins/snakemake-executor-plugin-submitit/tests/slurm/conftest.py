"""These tests need SLURM."""

from collections.abc import Callable
from pathlib import Path

import pytest
from slurm_lab.cluster import Cluster
from slurm_lab.fixtures import accounted_cluster, cluster, make_cluster, prepare
from slurm_lab.workflow import Workflow

__all__ = ["accounted_cluster", "cluster", "make_cluster"]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    prepare(items, Path(__file__).parent)


@pytest.fixture
def workflow(tmp_path: Path, cluster: Cluster) -> Callable[[str], Workflow]:
    return lambda snakefile: Workflow(tmp_path, cluster, snakefile)
