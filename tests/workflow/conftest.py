"""Projects to run the workflow in, and one finished smoke run that several tests check."""

import shutil
from pathlib import Path

import pytest
from support.projects import Project, new_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without results; its path has a space."""
    return new_project(tmp_path / "a project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which `all` has run with the smoke configuration. Tests leave its results as they are."""
    project = new_project(tmp_path_factory.mktemp("smoke") / "a project")
    run = project.smoke("all")
    assert run.returncode == 0, run.stdout[-5000:]
    return project


@pytest.fixture
def finished_copy(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, to change."""
    return Project(shutil.copytree(finished.directory, tmp_path / "a copy"))
