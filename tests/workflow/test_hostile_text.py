"""Text of the configuration is never run as code by a shell or a page; the environment is not written anywhere."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import ROOT
from support.projects import Project

from mast.config.experiment import Experiment
from mast.errors import MastError
from mast.settings import parse

NASTY = """</script><b>'"; $(touch pwned) `touch pwned` \\input{x} & %s {x} #_^~\n-n"""
FOLDER = "-rf 'a' \"b\"; $(touch pwned) `touch pwned`\nc"
CONFIG = "config/-c 'x' \"y\"; $(touch pwned).yaml"
SECRET = "hush-4f1c9a"


def configuration() -> dict:
    return {
        "name": "small",
        "results": "results of -this",
        "datasets": {"own": {"kind": "folder", "root": FOLDER, "size": 16, "licence": NASTY}},
        "seeds": [0],
        "pretrain": {"dataset": "own", "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 6, 8, 10]}},
        "runs": {"one.run_-": {"method": "untrained", "label": NASTY}},
        "protocols": {"nearest": {"kind": "knn", "k": 1}},
        "studies": {
            "table": {"title": NASTY, "caption": NASTY, "protocol": "nearest", "tasks": ["own"], "runs": ["one.run_-"]}
        },
    }


def write_images(root: Path) -> None:
    for split in ("train", "test"):
        for name in ("--help", "$(touch pwned) 'b'"):
            (root / split / name).mkdir(parents=True)
            for number in range(10):
                pixels = np.full((16, 16, 3), 25 * number + len(name), np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"-{number}; x.png")


def everything_below(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def hostile(project: Project) -> Project:
    write_images(project.directory / FOLDER)
    (project.directory / CONFIG).write_text(json.dumps(configuration()), encoding="utf-8")
    return project


@pytest.mark.slow
def test_the_whole_workflow_takes_text_as_text(hostile: Project) -> None:
    run = hostile.snakemake("all", "--configfile", CONFIG, environment={"MAST_SECRET": SECRET})
    assert run.returncode == 0, run.stdout[-3000:]
    files = everything_below(hostile.directory)
    assert not [file for file in files if "pwned" in file.name and file.suffix != ".yaml"]
    results = hostile.directory / "results of -this"
    page = (results / "tables/table.html").read_text(encoding="utf-8")
    assert "&lt;/script&gt;&lt;b&gt;" in page and "</script><b>" not in page
    index = (results / "index.html").read_text(encoding="utf-8")
    assert "&lt;/script&gt;&lt;b&gt;" in index and "</script><b>" not in index
    latex = (results / "tables/table.tex").read_text(encoding="utf-8")
    assert r"\textbackslash{}input\{x\}" in latex and r"\input{" not in latex
    report = (results / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"</script>\s*<b>", report)
    assert [file for file, content in files.items() if SECRET.encode() in content] == []


@pytest.mark.slow
def test_a_job_sent_through_submitit_carries_no_environment(hostile: Project) -> None:
    profile = ROOT / "profiles/submitit-local"
    arguments = ["data", "--configfile", CONFIG, "--profile", str(profile)]
    run = hostile.snakemake(*arguments, environment={"MAST_SECRET": SECRET})
    assert run.returncode == 0, run.stdout[-3000:]
    files = everything_below(hostile.directory)
    assert any(file.suffix == ".pkl" for file in files), "submitit wrote what it was to run"
    assert [file for file, content in files.items() if SECRET.encode() in content] == []
    assert not (hostile.directory / "pwned").exists()


@pytest.mark.parametrize(
    "text", ["a b", "a;b", "$(x)", "a\nb", "a\n", "-a", ".a", "a/b", "..", "a'b", 'a"b', "{a}", ""]
)
@pytest.mark.parametrize("section", ["datasets", "runs", "protocols", "studies"])
def test_names_that_become_paths_and_commands_are_plain(section: str, text: str) -> None:
    values = configuration()
    values[section][text] = next(iter(values[section].values()))
    with pytest.raises(MastError) as error:
        parse(Experiment, values, "c.yaml")
    assert str(error.value).startswith(f"c.yaml: {section}") and "\n" not in str(error.value)


@pytest.mark.parametrize("results", ["-r", "a;b", "$(x)", "a\nb", "a\n", "a{b}", "a'b", "~", ""])
def test_the_results_directory_is_plain(results: str) -> None:
    with pytest.raises(MastError, match=r"^c\.yaml: results: ") as error:
        parse(Experiment, configuration() | {"results": results}, "c.yaml")
    assert "\n" not in str(error.value)
