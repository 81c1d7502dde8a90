"""A full or read-only disk ends a command with one line and damages nothing."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml
from support.harness import experiment
from support.projects import ROOT

from mast.cli import main

pytestmark = [
    pytest.mark.xdist_group("faults in files"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a small disk can only be mounted by root"),
]

Fault = Callable[[str], AbstractContextManager[None]]

MEBIBYTE = 2**20
NAMES = ("--protocol", "knn", "--run", "mast", "--task", "shapes", "--seed", "0")
COMMANDS = {
    "preparing data": ("prepare", "--dataset", "shapes"),
    "pretraining": ("pretrain", "--run", "mast", "--seed", "0", "--gpus", "0"),
    "writing features": ("features", "--run", "mast", "--task", "shapes", "--seed", "0", "--gpus", "0"),
    "writing metrics": ("evaluate", *NAMES),
    "writing tables": ("table", "--study", "knn", "--published", str(ROOT / "config/published.yaml")),
}
ROOM_FOR_ONE_CHECKPOINT = 3 * MEBIBYTE // 4


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, bytes]:
    roomy = Commands(tmp_path / "roomy")
    for name in COMMANDS:
        assert roomy.run(name) == 0
    return roomy.outcome()


class Commands:
    """`mast` with a configuration whose results lie in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        configuration = experiment()
        self.results = directory / "results"
        configuration["results"] = str(self.results)
        configuration["studies"] = {
            "knn": {"title": "Neighbours", "protocol": "knn", "tasks": ["shapes"], "runs": ["mast"]}
        }
        self.file = directory.parent / f"{directory.name}.yaml"
        self.file.write_text(yaml.safe_dump(configuration), encoding="utf-8")

    def run(self, name: str) -> int:
        command, *options = COMMANDS[name]
        return main([command, "--config", str(self.file), *options])

    def files(self) -> dict[str, bytes]:
        """Every file but the curves, which a training replaces when it begins."""
        files = (file for file in self.results.rglob("*") if file.is_file() and file.name != "metrics.jsonl")
        return {str(file): file.read_bytes() for file in files}

    def outcome(self) -> dict[str, bytes]:
        patterns = ("data/*/*", "pretrain/**/*.safetensors", "tables/*")
        files = [file for pattern in patterns for file in self.results.glob(pattern)]
        return {str(file.relative_to(self.results)): file.read_bytes() for file in files}


def fill(disk: Path, leave: int) -> Path:
    """Fill a disk except for `leave` bytes; return the file that does so."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - leave)
    return filler


def is_one_line(printed: str, reason: str) -> bool:
    lines = [line for line in printed.splitlines() if line.startswith("mast: error: ")]
    return len(lines) == 1 and reason in lines[0] and str(Path("results")) in lines[0] and "Traceback" not in printed


def test_a_full_disk_harms_nothing_and_room_heals(
    disk: Path, undisturbed: dict[str, bytes], fault: Fault, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a result, and again over the result of before."""
    commands = Commands(disk)
    for name in COMMANDS:
        for _ in range(2):
            before = commands.files()
            filler = fill(disk, leave=0)
            capsys.readouterr()
            with fault(f"disk full: {name}"):
                assert commands.run(name) == 2
                assert is_one_line(capsys.readouterr().err, "space")
                assert commands.files() == before
                filler.unlink()
                assert commands.run(name) == 0
    assert commands.outcome() == undisturbed


def test_a_disk_that_fills_up_leaves_the_checkpoint_before(
    disk: Path, undisturbed: dict[str, bytes], fault: Fault, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = Commands(disk)
    assert commands.run("preparing data") == 0
    checkpoints = commands.results / "pretrain/shapes/mast/seed0/checkpoints"
    filler = fill(disk, leave=ROOM_FOR_ONE_CHECKPOINT)
    with fault("disk full: writing checkpoints"):
        assert commands.run("pretraining") == 2
        assert is_one_line(capsys.readouterr().err, f"{checkpoints}/step")
        assert list(checkpoints.glob("step*.pt"))
        assert not list(checkpoints.glob(".*"))
        filler.unlink()
        for name in list(COMMANDS)[1:]:
            assert commands.run(name) == 0
        assert commands.outcome() == undisturbed


def test_a_disk_that_may_only_be_read(
    disk: Path, undisturbed: dict[str, bytes], fault: Fault, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = Commands(disk)
    for name in COMMANDS:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        capsys.readouterr()
        with fault(f"read-only disk: {name}"):
            assert commands.run(name) == 2
            assert is_one_line(capsys.readouterr().err, "Read-only file system")
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
            assert commands.run(name) == 0
    assert commands.outcome() == undisturbed
