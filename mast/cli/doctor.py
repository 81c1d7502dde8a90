"""`mast doctor`: what a configuration needs and this machine does not have, before a job is submitted."""

import argparse
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from mast.config import Experiment, PublicData, load_experiment
from mast.errors import MastError
from mast.paths import DATA

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
    """Data sets that are neither prepared nor there to be prepared, and lists of labelled images."""
    from mast.preflight.presence import is_fetched, missing_files, source_of

    if any(not Path(getattr(spec, "root", "/")).is_absolute() for spec in experiment.datasets.values()):
        yield "note", "data", f"relative paths start at {Path.cwd()}; --data-root names another place"
    for name, spec in experiment.datasets.items():
        if _is_prepared(experiment, name):
            yield "ok", "data", f"{name}: prepared"
            continue
        absent = missing_files(spec)
        if not absent:
            yield "ok", "data", f"{name}: there"
        elif is_fetched(spec):
            yield "ok", "data", f"{name}: will be fetched, {source_of(spec).gigabytes:g} GB"
        elif isinstance(spec, PublicData):
            source = source_of(spec)
            yield "missing", "data", f"{name}: {', '.join(absent)} ({source.gigabytes:g} GB, {source.homepage})"
        else:
            yield "missing", "data", f"{name}: {', '.join(absent)}"
    for name, spec in experiment.protocols.items():
        for file in spec.files:
            yield "ok" if Path(file).is_file() else "missing", "data", f"protocol {name}: {file}"


def disk(experiment: Experiment) -> Iterator[Finding]:
    """Room for fetched data and prepared images that are not there yet. Weights and features come on top."""
    needs: dict[int, list[tuple[Path, str, float]]] = {}
    for folder, what, size in _needs(experiment):
        place = next(place for place in (folder, *folder.parents) if place.exists())
        needs.setdefault(place.stat().st_dev, []).append((place, what, size))
    for wanted in needs.values():
        place, free = wanted[0][0], shutil.disk_usage(wanted[0][0]).free
        line = f"{' and '.join(f'{what} {size / 1e9:.2f} GB' for _, what, size in wanted)}"
        enough = sum(size for _, _, size in wanted) < free
        yield "ok" if enough else "missing", "disk", f"{line}; {place} has {free / 1e9:.2f} GB free"
    if unknown := [name for name, size in _prepared_bytes(experiment).items() if size is None]:
        yield "note", "disk", f"size not known beforehand: {', '.join(unknown)}"


def _needs(experiment: Experiment) -> Iterator[tuple[Path, str, float]]:
    """(where, what, bytes); of archives twice their size, as they stay beside what they hold."""
    from mast.preflight.presence import is_fetched, missing_files, source_of

    prepared = sum(filter(None, _prepared_bytes(experiment).values()))
    yield Path(experiment.results).absolute(), "prepared images need", prepared
    fetched: dict[Path, dict[str, float]] = {}
    for name, spec in experiment.datasets.items():
        if not _is_prepared(experiment, name) and is_fetched(spec) and missing_files(spec):
            source = source_of(spec)
            fetched.setdefault(Path(spec.root).absolute(), {})[source.archives[0].url] = source.gigabytes
    for root, gigabytes in fetched.items():
        yield root, "fetched data, archives and content, about", 2e9 * sum(gigabytes.values())


def _prepared_bytes(experiment: Experiment) -> dict[str, int | None]:
    from mast.preflight.presence import prepared_bytes

    waiting = {name: spec for name, spec in experiment.datasets.items() if not _is_prepared(experiment, name)}
    return {name: prepared_bytes(spec) for name, spec in waiting.items()}


def _is_prepared(experiment: Experiment, name: str) -> bool:
    return (Path(experiment.results) / DATA.format(task=name) / "manifest.json").exists()


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
