"""Seconds that the workflow adds to the work of its jobs."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks.result import Section, Target
from mast.config.load import load_experiment
from mast.config.plan import study_metrics
from mast.records import MetricsFile

EMBEDDED = Path("config/config.yaml")
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all", "--snakefile", "workflow/Snakefile"]
JOBS = 5


def measure(quick: bool) -> Section:
    section = Section("workflow", "Seconds by the wall clock.")
    dry_runs = {path: _median([*SNAKEMAKE, "--dry-run", "--configfile", str(path)]) for path in configurations()}
    for path, seconds in dry_runs.items():
        section.add(str(path), "snakemake --dry-run", seconds, "s")
    start = _median([sys.executable, "-c", "import mast.pretraining.run"])
    section.add("a pretraining job", "start of the program", start, "s")
    with tempfile.TemporaryDirectory() as folder:
        per_job = _seconds_per_job(Path(folder))
        section.add("a job that prepares few images", "all but waiting for others", per_job, "s")
        section.add("a table of existing metrics", "mast table", _table_seconds(Path(folder)), "s")
    section.targets += [
        Target("overhead of a job", per_job, 3, False, "s"),
        Target("slowest dry run of the configurations", max(dry_runs.values()), 10, False, "s"),
    ]
    return section


def configurations() -> list[Path]:
    """Return the configurations that come with the program."""
    return [path for path in sorted(Path("config").rglob("*.yaml")) if "runs:" in path.read_text().splitlines()]


def _seconds_per_job(folder: Path) -> float:
    """Return the seconds that each further job adds to a run of the workflow."""
    seconds = []
    for jobs in (1, 1 + JOBS):
        config = yaml.safe_load(EMBEDDED.read_text())
        tiny = {"kind": "shapes", "train": 20, "test": 20, "size": 16}
        config["datasets"] |= {f"tiny{i}": tiny for i in range(jobs)}
        config["results"] = str(folder / f"results{jobs}")
        path = folder / f"config{jobs}.yaml"
        path.write_text(yaml.safe_dump(config))
        targets = [f"{config['results']}/data/tiny{i}/manifest.json" for i in range(jobs)]
        seconds.append(_median([*SNAKEMAKE, "--nolock", "--configfile", str(path), "--", *targets], repeats=1))
    return (seconds[1] - seconds[0]) / JOBS


def _table_seconds(folder: Path) -> float:
    config = yaml.safe_load(EMBEDDED.read_text()) | {"results": str(folder / "tables")}
    path = folder / "tables.yaml"
    path.write_text(yaml.safe_dump(config))
    for file in study_metrics(load_experiment(path), "linear"):
        *_, protocol, task, dataset, run, seed = Path(file).with_suffix("").parts
        MetricsFile(
            format=1,
            protocol=protocol,
            kind="linear-lbfgs",
            version=1,
            settings={},
            task=task,
            dataset=dataset,
            run=run,
            seed=int(seed.removeprefix("seed")),
            metrics={"label": {"top1": 50.0}},
            counts={"train": 100, "test": 100},
            seconds=1.0,
            **dict.fromkeys(("spec_sha256", "data_sha256", "task_sha256", "encoder_sha256"), "0" * 64),
        ).write(Path(file))
    return _median([sys.executable, "-m", "mast.cli", "table", "--config", str(path), "--study", "linear"])


def _median(command: Sequence[str], repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        started = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.monotonic() - started)
    return statistics.median(times)
