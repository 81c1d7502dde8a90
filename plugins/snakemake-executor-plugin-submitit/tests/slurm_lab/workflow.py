"""Snakemake runs on a cluster, in the background."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from slurm_lab.cluster import Cluster

THROUGH_PLUGIN = (
    *("--executor", "submitit", "--submitit-cluster", "slurm", "--jobs", "100", "--scheduler", "greedy"),
    *("--rerun-incomplete", "--keep-going", "--show-failed-logs"),
)
QUICK = ("--seconds-between-status-checks", "1", "--latency-wait", "3", "--retries", "0")


class Run:
    """A Snakemake process in the background, its output in a file."""

    def __init__(self, directory: Path, environment: dict[str, str], arguments: tuple[str, ...]) -> None:
        self.log = directory / f"snakemake-{time.monotonic_ns()}.txt"
        command = [sys.executable, "-m", "snakemake", *arguments]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=directory, env=environment, stdout=log, stderr=log, preexec_fn=_default_interrupt
            )

    def wait(self, seconds: float = 600) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"Snakemake did not end:\n{self.output}") from None

    @property
    def output(self) -> str:
        return self.log.read_text()


class Workflow:
    """A Snakefile in a directory, run through this plugin on a cluster, or with the given options instead."""

    def __init__(
        self, directory: Path, cluster: Cluster, snakefile: str, options: tuple[str, ...] = THROUGH_PLUGIN
    ) -> None:
        self.directory, self.cluster, self.options = directory, cluster, options
        (directory / "Snakefile").write_text(snakefile)

    def start(self, *arguments: str) -> Run:
        return Run(self.directory, self.cluster.environment, (*self.options, *QUICK, *arguments))

    def run(self, *arguments: str) -> tuple[int, str]:
        started = self.start(*arguments)
        return started.wait(), started.output


def _default_interrupt() -> None:
    """Restore the default reaction to Ctrl-C, which a process started in the background may ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
