"""The command that makes a result again."""

import shlex
from pathlib import Path

SNAKEMAKE = "snakemake --profile profiles/default"


def rebuild_command(results: Path, file: Path) -> str:
    """The command that makes `file`, below `results`, again; a configuration other than the default is to be added.

    The file is deleted first: Snakemake rebuilds what is missing and everything that depends on it. The manifest
    stands for prepared data, the encoder for a run.
    """
    parts = file.relative_to(results).parts
    target = results / _target(file.relative_to(results))
    if parts[0] == "export":
        return f"mast export --config YAML --run {parts[2]} --seed {parts[3].removeprefix('seed')}"
    if any(part == "checkpoints" or part.endswith(".checkpoints") for part in parts):
        return f"rm {shlex.quote(str(file))}"
    return f"rm -f {shlex.quote(str(target))}; {SNAKEMAKE} {shlex.quote(str(target))}"


def _target(relative: Path) -> Path:
    match relative.parts:
        case ("data", task, *_):
            return Path("data", task, "manifest.json")
        case ("pretrain", dataset, run, seed, *_):
            return Path("pretrain", dataset, run, seed, "encoder.safetensors")
        case ("analysis", dataset, run, seed, *_):
            return Path("analysis", dataset, run, seed, "masks.csv")
        case ("config.json",):
            return Path("report.html")
        case _:
            return relative
