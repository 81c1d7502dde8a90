"""Things that a configuration needs and this machine lacks, found before a job is submitted."""

import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from mast.config.experiment import Experiment
from mast.data.readers import Reader
from mast.errors import MastError
from mast.preflight.doubts import doubts
from mast.preflight.standing import standing
from mast.results import Results

PACKAGE = "mast-ssl"
NEEDS_NO_LIBRARY = "resnet-narrow"
"""The encoder that can be built with any version of torchvision and timm."""

Finding = tuple[str, str, str]
"""(`ok`, `missing` or `note`; what was checked; one line)"""


def findings(experiment: Experiment) -> Iterator[Finding]:
    """Return everything that is checked: settings, packages, data, disk, GPUs, encoders."""
    for line in doubts(experiment, dict.fromkeys(experiment.datasets)):
        yield "note", "settings", line
    yield from packages()
    yield from data(experiment)
    yield from disk(experiment)
    yield from gpus(experiment)
    yield from encoders(experiment)


def packages() -> Iterator[Finding]:
    """Check that every package that the project requires is installed in an allowed version."""
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
    """Check for datasets that are neither prepared nor available, and for files that protocols read."""
    waiting = _waiting(experiment)
    if any(not Path(place).is_absolute() for spec in waiting.values() for place in spec.needed()):
        yield "note", "data", f"relative paths start at {Path.cwd()}; --data-root sets another directory"
    for name, spec in experiment.datasets.items():
        state, line = _availability(spec) if name in waiting else _prepared(experiment, name)
        yield state, "data", f"{name}: {line}"
    for name, spec in experiment.protocols.items():
        for file in spec.files:
            here = Path(file).is_file()
            where = f" ({spec.origin})" if spec.origin and not here else ""
            yield "ok" if here else "missing", "data", f"protocol {name}: {file}{where}"


def _prepared(experiment: Experiment, name: str) -> tuple[str, str]:
    now = standing(experiment, name)
    if now.due:
        return "note", f"prepared, and since then {now}; the next run prepares it again"
    return "ok", "prepared"


def _availability(spec: Reader) -> tuple[str, str]:
    """Return the state of data that are not prepared, and a line about them."""
    absent = spec.missing()
    if not absent:
        return "ok", "there"
    origin = spec.origin
    if origin is None:
        return "missing", ", ".join(absent)
    if origin.archive is not None:
        return "ok", f"will be fetched, {origin.gigabytes:g} GB"
    return "missing", f"{', '.join(absent)} ({origin.gigabytes:g} GB, {origin.homepage})"


def disk(experiment: Experiment) -> Iterator[Finding]:
    """Check the disk space for fetched data and prepared images that do not exist yet, without weights and features."""
    needs: dict[int, list[tuple[Path, str, float]]] = {}
    for folder, what, size in _needs(experiment):
        place = next(place for place in (folder, *folder.parents) if place.exists())
        needs.setdefault(place.stat().st_dev, []).append((place, what, size))
    for wanted in needs.values():
        place, free = wanted[0][0], shutil.disk_usage(wanted[0][0]).free
        line = f"{' and '.join(f'{what} {size / 1e9:.2f} GB' for _, what, size in wanted)}"
        enough = sum(size for _, _, size in wanted) < free
        yield "ok" if enough else "missing", "disk", f"{line}; {place} has {free / 1e9:.2f} GB free"
    if unknown := [name for name, spec in _waiting(experiment).items() if spec.prepared_bytes is None]:
        yield "note", "disk", f"size not known beforehand: {', '.join(unknown)}"


def _needs(experiment: Experiment) -> Iterator[tuple[Path, str, float]]:
    """Return (where, what, bytes) for what is missing; archives count twice, as they are kept with their extracted
    content.
    """
    waiting = _waiting(experiment).values()
    yield Path(experiment.results).absolute(), "prepared images need", sum(spec.prepared_bytes or 0 for spec in waiting)
    fetched: dict[Path, dict[str, float]] = {}
    for origin in (spec.origin for spec in waiting if spec.missing()):
        if origin is not None and origin.archive is not None:
            fetched.setdefault(origin.root, {})[origin.archive] = origin.gigabytes
    for root, gigabytes in fetched.items():
        yield root, "fetched data, archives and content, about", 2e9 * sum(gigabytes.values())


def _waiting(experiment: Experiment) -> dict[str, Reader]:
    """Return the datasets that are not prepared."""
    results = Results(experiment.results)
    return {name: spec for name, spec in experiment.datasets.items() if not results.data(name).manifest.exists()}


def gpus(experiment: Experiment) -> Iterator[Finding]:
    """Check that there are as many GPUs as the largest job requests. GPUs of SLURM are on other machines and are not
    counted.
    """
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
    """Check that the installed libraries can build every encoder that a run names."""
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
