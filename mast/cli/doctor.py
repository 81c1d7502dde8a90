"""`mast doctor`: what a configuration needs and this machine does not have, before a job is submitted."""

import argparse
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from mast.config import Experiment, load_experiment
from mast.errors import MastError

PACKAGE = "mast-ssl"
NEEDS_NO_LIBRARY = "resnet-narrow"
"""The one encoder that can be built whatever version of torchvision and timm is installed."""

Finding = tuple[str, str, str]
"""(`ok`, `missing` or `note`; what was looked at; one line)"""


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("doctor", help="list what a configuration needs and this machine does not have")
    parser.add_argument("config", type=Path, metavar="YAML")
    parser.add_argument("--data-root", metavar="PATH", help="replaces the configuration's data_root")
    parser.set_defaults(execute=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    changes = {} if arguments.data_root is None else {"data_root": arguments.data_root}
    experiment = load_experiment(arguments.config, changes)
    findings = [
        *packages(),
        *data(experiment),
        *disk(experiment),
        *gpus(experiment),
        *encoders(experiment),
    ]
    for state, what, line in findings:
        print(f"{state:8}{what:10}{line}")
    missing = sum(state == "missing" for state, _, _ in findings)
    print(f"{missing} missing" if missing else "nothing is missing")
    return 1 if missing else 0


def packages() -> Iterator[Finding]:
    """Every package that the project requires, in a version that it allows."""
    absent = []
    for text in metadata.requires(PACKAGE) or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            absent.append(("missing", "package", f"{requirement}: not installed"))
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            absent.append(("missing", "package", f"{requirement}: {version} is installed"))
    yield from absent or [("ok", "packages", "all that the project requires")]


def data(experiment: Experiment) -> Iterator[Finding]:
    """Data sets that are neither prepared nor there to be prepared."""
    from mast.data.presence import missing_files

    for name, spec in experiment.datasets.items():
        if (Path(experiment.results) / "data" / name / "manifest.json").exists():
            yield "ok", "data", f"{name}: prepared"
            continue
        absent = missing_files(spec)
        yield from [("missing", "data", f"{name}: {file}") for file in absent] or [
            ("ok", "data", f"{name}: {'will be fetched if need be' if getattr(spec, 'download', False) else 'there'}")
        ]


def disk(experiment: Experiment) -> Iterator[Finding]:
    """Room for the prepared images that are not there yet. Weights, features and downloads come on top."""
    from mast.data.presence import prepared_bytes

    results = Path(experiment.results).absolute()
    place = next(folder for folder in (results, *results.parents) if folder.exists())
    waiting = {
        name: prepared_bytes(spec)
        for name, spec in experiment.datasets.items()
        if not (results / "data" / name / "manifest.json").exists()
    }
    needed, free = sum(filter(None, waiting.values())), shutil.disk_usage(place).free
    line = f"prepared images need {needed / 1e9:.2f} GB; {place} has {free / 1e9:.2f} GB free"
    yield "ok" if needed < free else "missing", "disk", line
    if unknown := [name for name, size in waiting.items() if size is None]:
        yield "note", "disk", f"size not known beforehand: {', '.join(unknown)}"


def gpus(experiment: Experiment) -> Iterator[Finding]:
    """As many GPUs as the largest job asks for. With SLURM they are on other machines and are not counted."""
    wanted = {stage: need.gpus for stage, need in experiment.resources if need.gpus}
    if not wanted:
        yield "ok", "GPUs", "none are asked for"
    elif shutil.which("sbatch"):
        yield "note", "GPUs", f"SLURM gives them: {', '.join(f'{stage} {count}' for stage, count in wanted.items())}"
    else:
        import torch

        stage, most = max(wanted.items(), key=lambda entry: entry[1])
        here = torch.cuda.device_count()
        yield "ok" if here >= most else "missing", "GPUs", f"{stage} asks for {most}; this machine has {here}"


def encoders(experiment: Experiment) -> Iterator[Finding]:
    """Every encoder that a run names can be built by the installed libraries."""
    specs = {run.encoder.model_dump_json(): run.encoder for run in experiment.runs.values()}
    for spec in specs.values():
        if spec.name == NEEDS_NO_LIBRARY:
            continue
        import torch

        from mast.models.encoder import build_encoder

        try:
            with torch.device("meta"):
                build_encoder(spec)
            yield "ok", "encoder", spec.name
        except MastError as error:
            yield "missing", "encoder", str(error)
