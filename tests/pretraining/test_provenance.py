"""The record next to a result states what produced it."""

import json
import subprocess
from pathlib import Path

import numpy
import pytest
import torch

import mast
from mast.cli import main
from mast.commit import code_version
from mast.config.pretrain import PretrainSpec
from mast.files import sha256_json
from mast.pretraining import provenance
from mast.settings import parse

pytestmark = pytest.mark.xdist_group("verify")

RUN = "pretrain/shapes/first/seed0"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a package at `source/mast`, which replaces this one."""
    file = tmp_path / "source/mast/__init__.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    monkeypatch.setattr(mast, "__file__", str(file))
    return file


def committed(repository: Path, *files: str) -> str:
    """Make a repository with one commit of some files; the commit."""
    git(repository, "init", "--quiet", str(repository))
    git(repository, "add", "--force", *files)
    git(repository, "commit", "--quiet", "--message", "one")
    return git(repository, "rev-parse", "HEAD")


def test_the_version_of_the_code_is_the_commit_and_whether_files_differ(package: Path) -> None:
    assert code_version() == f"mast {mast.__version__}"
    commit = committed(package.parents[1], "mast")
    assert code_version() == commit
    package.write_text("changed = True\n")
    assert code_version() == f"{commit}-dirty"


def test_packages_that_are_not_installed_have_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    found = provenance.provenance(torch.device("cpu"), 1)
    assert found["packages"] == {"numpy": numpy.__version__}


@pytest.mark.parametrize("ignored", ["", "source/\n"], ids=["untracked", "ignored"])
def test_the_commit_of_a_repository_around_the_installation_is_not_that_of_the_code(
    package: Path, tmp_path: Path, ignored: str
) -> None:
    """Such as a virtual environment inside the user's own project."""
    (tmp_path / ".gitignore").write_text(ignored)
    (tmp_path / "thesis.tex").write_text("")
    committed(tmp_path, ".gitignore", "thesis.tex")
    assert code_version() == f"mast {mast.__version__}"


def test_another_repository_in_the_environment_is_not_taken_for_that_of_the_code(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git sets GIT_DIR for its hooks."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "__init__.py").write_text("")
    committed(other, "__init__.py")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert code_version() == f"mast {mast.__version__}"


def test_the_commit_of_a_repository_that_holds_a_copy_of_the_code_is_its_version(package: Path, tmp_path: Path) -> None:
    assert committed(tmp_path, "source") == code_version()


@pytest.mark.slow
def test_run_json_says_with_what_an_encoder_was_made(finished_results: Path) -> None:
    record = json.loads((finished_results / RUN / "run.json").read_text())
    assert record.keys() >= {"commit", "host", "device", "seed", "threads", "python", "mast", "wall_seconds"}
    assert record["packages"].keys() >= {"torch", "torchvision", "timm", "numpy", "pillow", "safetensors"}
    manifest = json.loads((finished_results / "data/shapes/manifest.json").read_text())
    assert record["data_sha256"] == manifest["sha256"]
    spec = parse(PretrainSpec, record["spec"], "run.json").resolved()
    assert record["spec_sha256"] == sha256_json(spec.model_dump(mode="json"))


@pytest.mark.slow
def test_metrics_name_the_versions_of_the_code_that_trained_and_evaluated(finished_results: Path) -> None:
    trained_by = json.loads((finished_results / RUN / "run.json").read_text())["commit"]
    for name in ("knn/shapes", "boxes/scenes"):
        metrics = json.loads((finished_results / f"metrics/{name}/shapes/first/seed0.json").read_text())
        assert trained_by in metrics["commits"]


@pytest.mark.slow
def test_two_seeds_of_one_run_have_one_spec(tmp_path: Path, finished_results: Path) -> None:
    config = finished_results.parent / "config.yaml"
    output = ["--data", str(finished_results / "data/shapes"), "--output", str(tmp_path)]
    assert main(["pretrain", "--config", str(config), "--run", "first", "--seed", "1", "--gpus", "0", *output]) == 0
    first, second = (json.loads((folder / "run.json").read_text()) for folder in (finished_results / RUN, tmp_path))
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["spec_sha256"] == second["spec_sha256"]
    assert first["files"]["encoder.safetensors"] != second["files"]["encoder.safetensors"]
