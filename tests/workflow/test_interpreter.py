"""Rules call the package of the interpreter that runs Snakemake, whichever environment is active."""

import os

import pytest
from support.projects import Project


@pytest.mark.slow
def test_no_program_of_the_environment_is_on_the_path(project: Project) -> None:
    run = project.smoke("results/smoke/data/scenes/manifest.json", environment={"PATH": os.defpath})
    assert run.returncode == 0, run.stdout[-3000:]
    assert (project.directory / "results/smoke/data/scenes/manifest.json").is_file()
