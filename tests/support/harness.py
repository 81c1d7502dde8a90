"""A small experiment for tests of interruptions: every stage once, in its own directory."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from support.projects import ENVIRONMENT, ROOT

TARGETS = ("tables",)
MARK = "MAST_FAULT_TEST"
"""A variable in the environment of everything that a test starts: who still has it afterwards is an orphan."""


def experiment() -> dict:
    """config/smoke.yaml with one run of each kind of job, and a few steps of training."""
    smoke = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))
    smoke["results"] = "results"
    smoke["datasets"] = {
        "shapes": {"kind": "shapes", "train": 64, "test": 32, "size": 16},
        "scenes": {"kind": "shapes-scenes", "train": 8, "test": 4, "size": 48},
    }
    smoke["pretrain"] |= {"epochs": 4, "batch_size": 16, "checkpoint_minutes": 1e-6}
    smoke["runs"] = {"mast": {"method": "mast", "label": "MAST"}}
    smoke["protocols"]["semi-10"] |= {"batch_size": 4}
    smoke["protocols"]["detection"] |= {"batch_size": 8}
    one = {"tasks": ["shapes"], "runs": ["mast"]}
    smoke["studies"] = {
        "linear": {"title": "Linear evaluation", "protocol": "linear", **one},
        "semi_10": {"title": "10 % of the labels", "protocol": "semi-10", **one},
        "detection": {"title": "Detection", "protocol": "detection", **one, "tasks": ["scenes"]},
    }
    smoke["figures"] = {"losses": ["mast"]}
    return smoke


@dataclass
class Experiment:
    """A directory with a configuration and, when it has run, results."""

    directory: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        (self.directory / "config").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "config/published.yaml", self.directory / "config")
        self.configure(experiment())

    def configure(self, configuration: dict) -> None:
        (self.directory / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")

    @property
    def results(self) -> Path:
        return self.directory / "results"

    @property
    def environment(self) -> dict[str, str]:
        """Without a git checkout: results that outlive an edit of the code would say that two versions made them."""
        return ENVIRONMENT | {MARK: self.mark, "OMP_NUM_THREADS": "1", "GIT_DIR": os.devnull}

    def start(self, *command: str, **options: object) -> subprocess.Popen[str]:
        """Start a command in the directory, in a process group of its own; its standard error is part of the output."""
        output = (self.directory / "output.txt").open("w", encoding="utf-8")
        shared = {"cwd": self.directory, "env": self.environment, "start_new_session": True}
        with output:
            return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True, **(shared | options))

    def snakemake(self, *arguments: str, **options: object) -> subprocess.Popen[str]:
        """Start Snakemake on the tables, with the default profile and two jobs at once."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/Snakefile")]
        options_of_all = ["--configfile", "config.yaml", "--profile", str(ROOT / "profiles/default"), "--cores", "2"]
        return self.start(*command, *(arguments or TARGETS), *options_of_all, **options)

    @property
    def output(self) -> str:
        """Return what the last command printed."""
        return (self.directory / "output.txt").read_text(encoding="utf-8")

    def finish(self, *arguments: str) -> str:
        """Run Snakemake to its end, which must be a good one; its output."""
        assert self.snakemake(*arguments).wait(300) == 0, self.output[-5000:]
        return self.output

    def heal(self) -> None:
        """Do what docs/use/reliability.md advises after Snakemake was killed: unlock, run again."""
        self.finish("--unlock")
        self.finish()

    def outcome(self) -> dict[str, bytes]:
        """Return what must not depend on any fault: tables, weights, predictions."""
        patterns = ("tables/*", "pretrain/**/*.safetensors", "metrics/**/*.predictions.json", "features/**/*.npz")
        files = [file for pattern in patterns for file in self.results.glob(pattern)]
        whole = [file for file in files if not file.name.startswith(".")]  # and not what a killed process was writing
        return {str(file.relative_to(self.results)): file.read_bytes() for file in whole}

    def processes(self) -> list[int]:
        """Processes that this experiment has started and that live."""
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                alive = "\nState:\tZ" not in environ.with_name("status").read_text()
                if alive and f"{MARK}={self.mark}".encode() in environ.read_bytes().split(b"\0"):
                    found.append(int(environ.parent.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return found

    def wait_until_quiet(self, seconds: float = 30) -> None:
        """No process is left, at the latest after some seconds."""
        wait_for(lambda: not self.processes(), seconds, "orphans are left")

    def leftovers(self) -> list[str]:
        """Temporary files and checkpoints below the results."""
        names = ("**/.*", "**/checkpoints", "**/*.checkpoints")
        return [str(path) for name in names for path in self.results.glob(name)]


def wait_for(condition: Callable[[], object], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


def kill(group: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    """Signal a whole process group and wait for its first process."""
    os.killpg(group.pid, number)
    group.wait(60)
