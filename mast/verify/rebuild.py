"""The command that makes a result again."""

import shlex
from pathlib import Path

from mast.results import Results

SNAKEMAKE = "snakemake --profile profiles/default"


def rebuild_command(results: Path, file: Path) -> str:
    """Return the command that makes `file`, below `results`, again. Users of a non-default configuration add it
    themselves.

    The file is deleted first: Snakemake rebuilds missing files and everything that depends on them. For prepared data
    the target is the manifest, for a run the encoder.
    """
    parts = file.relative_to(results).parts
    target = results / _target(file.relative_to(results))
    if parts[0] == "export":
        return f"mast export --config YAML --run {parts[2]} --seed {parts[3].removeprefix('seed')}"
    if any(part == "checkpoints" or part.endswith(".checkpoints") for part in parts):
        return f"rm {shlex.quote(str(file))}"
    return f"rm -f {shlex.quote(str(target))}; {SNAKEMAKE} {shlex.quote(str(target))}"


def _target(relative: Path) -> Path:
    results = Results("")
    match relative.parts:
        case ("data", dataset, *_):
            return results.data(dataset).manifest
        case ("pretrain", dataset, run, seed, *_):
            return results.run(dataset, run, seed.removeprefix("seed")).encoder
        case ("analysis", dataset, run, seed, *_):
            return results.analysis(dataset, run, seed.removeprefix("seed")).table("masks")
        case (name,) if Path(name) == results.config:
            return results.report
        case _:
            return relative
