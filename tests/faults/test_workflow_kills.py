"""Snakemake and its jobs are killed, stopped or started twice: a rerun ends with the bytes of an uninterrupted run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.harness import Experiment, experiment, kill, wait_for

Fault = Callable[[str], AbstractContextManager[None]]

KILLS = 10
"""Number of kills in each of the two tests that kill at random."""


@dataclass(frozen=True)
class Finished:
    """An undisturbed run."""

    experiment: Experiment
    outcome: dict[str, bytes]
    seconds: float

    def copy(self, directory: Path, *without: str) -> Experiment:
        """The same in another directory, without some of its results."""
        shutil.copytree(self.experiment.directory, directory)
        for part in without:
            shutil.rmtree(directory / "results" / part)
        return Experiment(directory)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    undisturbed = Experiment(tmp_path_factory.mktemp("undisturbed") / "experiment")
    started = time.monotonic()
    undisturbed.finish()
    assert undisturbed.leftovers() == []
    return Finished(undisturbed, undisturbed.outcome(), time.monotonic() - started)


def processes_of(run: Experiment, command: str) -> list[int]:
    """The processes of `mast <command>` that an experiment has started; not the shell that waits for them."""
    found = []
    for pid in run.processes():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except FileNotFoundError:
            continue
        if command.encode() in words and b"-c" not in words:
            found.append(pid)
    return found


@pytest.mark.xdist_group("faults: kill -9")
@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_random_points(seed: int, finished: Finished, tmp_path: Path, fault: Fault) -> None:
    """After each kill nothing is left running, and every file that has its name has its content."""
    run, generator, kills = Experiment(tmp_path / "experiment"), random.Random(seed), 0
    while kills < KILLS:
        snakemake = run.snakemake()
        try:
            snakemake.wait(generator.uniform(0.02, 0.3) * finished.seconds)
        except subprocess.TimeoutExpired:
            kills += 1
            with fault("kill -9 of the whole workflow"):
                kill(snakemake)
                run.wait_until_quiet()
                for name, content in run.outcome().items():
                    assert content == finished.outcome[name], name
                run.finish("--unlock")
            continue
        assert run.outcome() == finished.outcome, run.output[-3000:]
        shutil.rmtree(run.results)
    run.finish()
    assert run.outcome() == finished.outcome
    assert run.leftovers() == []


@pytest.mark.xdist_group("faults in workflows")
def test_a_job_that_the_system_kills_is_named_and_its_rerun_heals(
    finished: Finished, tmp_path: Path, fault: Fault
) -> None:
    """SIGKILL to the job's own process, as the kernel does when memory runs out."""
    run = finished.copy(tmp_path / "experiment", "metrics/detection", "tables")
    with fault("kill -9 of one job (out of memory)"):
        snakemake = run.snakemake()
        wait_for(lambda: processes_of(run, "evaluate"), 120, "no detector is trained")
        for pid in processes_of(run, "evaluate"):
            os.kill(pid, signal.SIGKILL)
        assert snakemake.wait(120) != 0
        assert "Error in rule evaluate_scenes" in run.output
        assert "results/logs/metrics/detection/scenes/shapes/mast/seed0.json.log" in run.output
        run.wait_until_quiet()
        run.finish()
        assert run.outcome() == finished.outcome


@pytest.mark.xdist_group("faults in workflows")
def test_a_job_without_memory_is_named_and_its_rerun_heals(finished: Finished, tmp_path: Path, fault: Fault) -> None:
    """The job's address space is limited so that its libraries do not fit."""
    run = finished.copy(tmp_path / "experiment", "metrics/linear", "tables")
    limited = tmp_path / "limited/sitecustomize.py"  # which each interpreter imports first
    limited.parent.mkdir()
    limit = "resource.setrlimit(resource.RLIMIT_AS, (10**8, 10**8))"  # of the rule's command alone: tables fail first
    limited.write_text(f"import resource, sys\nif 'evaluate' in sys.orig_argv: {limit}\n")
    path = os.pathsep.join(filter(None, [str(limited.parent), run.environment.get("PYTHONPATH")]))
    with fault("memory limit of a job too low"):
        snakemake = run.snakemake(env=run.environment | {"PYTHONPATH": path})
        assert snakemake.wait(120) != 0
        assert "Error in rule evaluate_features" in run.output
        assert "Logfile results/logs/metrics/linear/shapes/shapes/mast/seed0.json.log" in run.output
        run.wait_until_quiet()
        run.finish()
        assert run.outcome() == finished.outcome


@pytest.mark.xdist_group("faults in workflows")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_snakemake_is_stopped_while_it_trains(name: str, finished: Finished, tmp_path: Path, fault: Fault) -> None:
    """SIGTERM: it waits for what runs. SIGINT and SIGHUP go to all processes of the terminal: a checkpoint is saved."""
    run = finished.copy(tmp_path / "experiment", "pretrain")
    run.configure(longer := experiment() | {"pretrain": experiment()["pretrain"] | {"epochs": 40}})
    with fault(f"{name} to Snakemake"):
        snakemake = run.snakemake("pretrain")
        wait_for(lambda: list(run.results.rglob("checkpoints/step*.pt")), 120, run.output)
        if name == "SIGTERM":
            snakemake.send_signal(signal.SIGTERM)
        else:
            os.killpg(snakemake.pid, getattr(signal, name))
        snakemake.wait(120)
        run.wait_until_quiet()
        encoder = run.results / "pretrain/shapes/mast/seed0/encoder.safetensors"
        if name != "SIGTERM":
            assert not encoder.exists()
            assert list(run.results.rglob("checkpoints/step*.pt"))
        run.finish("--unlock")
        run.finish("pretrain")
        assert encoder.read_bytes() == undisturbed_encoder(tmp_path / "whole", finished, longer)
        assert run.leftovers() == []


def undisturbed_encoder(directory: Path, finished: Finished, configuration: dict) -> bytes:
    """Return the encoder of an uninterrupted run of a configuration with other settings of pretraining."""
    kept = finished.experiment.directory.parent / "longer"
    if not kept.exists():
        run = finished.copy(directory, "pretrain")
        run.configure(configuration)
        run.finish("pretrain")
        kept.write_bytes((run.results / "pretrain/shapes/mast/seed0/encoder.safetensors").read_bytes())
    return kept.read_bytes()


@pytest.mark.xdist_group("faults in workflows")
def test_a_second_snakemake_is_refused(finished: Finished, tmp_path: Path, fault: Fault) -> None:
    run = Experiment(tmp_path / "experiment")  # with all there is to do: the first still runs when the second starts
    with fault("two Snakemakes on one directory"):
        first = run.snakemake()
        wait_for(lambda: list((run.directory / ".snakemake/locks").glob("*")), 60, "no lock")
        second = subprocess.run(first.args, cwd=run.directory, env=run.environment, capture_output=True, text=True)
        assert second.returncode != 0
        assert "cannot be locked" in second.stderr
        assert first.wait(120) == 0, run.output
        assert run.outcome() == finished.outcome


@pytest.mark.xdist_group("faults in workflows")
def test_the_clock_is_set_back_by_an_hour(finished: Finished, tmp_path: Path, fault: Fault) -> None:
    """Results are dated an hour ahead. Some are made anew, and a run that ends there believes none of the old ones."""
    run = finished.copy(tmp_path / "experiment")
    with fault("clock set back between runs"):
        date_ahead(run.results)
        assert "Nothing to be done" in run.finish()
        date_ahead(run.results)
        run.configure(experiment() | {"pretrain": experiment()["pretrain"] | {"epochs": 5}})
        run.finish("pretrain")
        run.finish()
        command = [sys.executable, "-m", "mast.cli", "verify", run.results]
        verify = subprocess.run(command, capture_output=True, text=True)
        assert verify.returncode == 0, verify.stdout
        assert run.outcome().keys() == finished.outcome.keys()
        for name in ("pretrain/shapes/mast/seed0/encoder.safetensors", "features/shapes/mast/seed0/shapes.npz"):
            assert run.outcome()[name] != finished.outcome[name], name


def date_ahead(results: Path) -> None:
    for file in (file for file in results.rglob("*") if file.is_file()):
        moment = file.stat().st_mtime_ns + 3600 * 10**9
        os.utime(file, ns=(moment, moment))
