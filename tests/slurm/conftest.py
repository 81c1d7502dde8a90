"""Clusters for the tests of this directory, and a reason to skip them where SLURM is not installed."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support import slurm_accounting as accounting
from support.slurm_cluster import PROGRAMS, Cluster, Workflow, system_path


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file share a worker and its cluster, and mostly wait; skip them where SLURM is missing."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=system_path()) is None]
    reason = "slurm-wlm and munge are not installed, or this is not root (apt-get install slurm-wlm munge)"
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
            if missing or os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def make_cluster() -> Iterator[Callable[[], Cluster]]:
    """Start clusters; they end with the test."""
    with ExitStack() as started:
        yield lambda: started.enter_context(_running())


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One cluster for all tests that leave it clean."""
    with _running() as shared:
        yield shared


@pytest.fixture(scope="session")
def accounted_cluster() -> Iterator[Cluster]:
    """One with slurmdbd, which tells preempted jobs by SIGTERM."""
    missing = [program for program in accounting.PROGRAMS if shutil.which(program, path=system_path()) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed (apt-get install slurmdbd mariadb-server)")
    with _running(preemption_signal="TERM", accounting=True) as shared:
        yield shared


@pytest.fixture
def workflow(tmp_path: Path, cluster: Cluster) -> Callable[[str], Workflow]:
    return lambda snakefile: Workflow(tmp_path, cluster, snakefile)


@contextmanager
def _running(**options: object) -> Iterator[Cluster]:
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="slurm-")), **options)  # pytest's own paths are too long for sockets
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(cluster.directory, ignore_errors=True)
