"""Fixtures with clusters for a folder of tests, which imports them into its conftest.py, and the check for SLURM."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from slurm_lab import accounting
from slurm_lab.cluster import PROGRAMS, Cluster, system_path


def prepare(items: list[pytest.Item], folder: Path) -> None:
    """Let the tests of a file, which mostly wait, share a worker and its cluster; skip them if SLURM is missing."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=system_path()) is None]
    reason = "slurm-wlm and munge are not installed, or this is not root (apt-get install slurm-wlm munge)"
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.slow(minutes=3))
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
    """Start a cluster with slurmdbd, which signals preempted jobs by SIGTERM."""
    missing = [program for program in accounting.PROGRAMS if shutil.which(program, path=system_path()) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed (apt-get install slurmdbd mariadb-server)")
    with _running(preemption_signal="TERM", accounting=True) as shared:
        yield shared


@contextmanager
def _running(**options: object) -> Iterator[Cluster]:
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="slurm-")), **options)  # pytest's own paths are too long for sockets
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(cluster.directory, ignore_errors=True)
