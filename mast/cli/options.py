"""Options that commands share, and the settings and paths that follow from them.

Every command takes its settings and paths either from `--config` and names (`--run`, `--seed`, …), or from `--spec`
and explicit paths, as the workflow's rules give them. An explicit path wins over the configuration's.
"""

import argparse
import math
import string
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mast.errors import MastError
from mast.results import Results
from mast.settings import nearest

if TYPE_CHECKING:
    from mast.config.experiment import Experiment

Entry = TypeVar("Entry")

PLACES, OF_RUN = Results(""), ("{dataset}", "{run}", "{seed}")
"""Paths of the results, and the names that identify one run, for the patterns that `path` takes."""

NAMES = {
    "dataset": "name of the dataset, a key of `datasets`",
    "protocol": "name of the protocol, a key of `protocols`",
    "run": "name of the run, a key of `runs`",
    "seed": "seed of the run",
    "study": "name of the study, a key of `studies`",
    "task": "name of the task, the dataset that the encoder is evaluated on",
}
"""Option for a name in the configuration → its help."""

SEVERAL = "With several GPUs, torchrun starts one process per GPU; the processes share the work and --threads."
"""Note in the help of commands whose work can be shared."""


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return the type of an option that takes a whole number of at least `low`, and at most `high`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            allowed = f"of {low} or more" if high is None else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {allowed}")
        return int(text)

    return number


count, seed = whole(1), whole(0, 2**31 - 1)
"""Types of options that take a number of things, and a seed."""


def positive(text: str) -> float:
    """Read a number above 0; the type of an option."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `--config`, for commands without settings of their own."""
    parser.add_argument("--config", type=Path, metavar="YAML", help="take settings and paths from this configuration")


def add_config_or_spec(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--spec`; exactly one of them must be given."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, metavar="YAML", help="take settings and paths from this configuration")
    source.add_argument(
        "--spec",
        type=_spec,
        metavar="JSON",
        help="the resolved settings as JSON, or - for standard input; each path is then given by its option",
    )


def _spec(value: str) -> str:
    """Return the JSON, from standard input for `-`, because Linux limits an argument to 128 KiB."""
    return sys.stdin.buffer.read().decode(errors="surrogateescape") if value == "-" else value


def add_names(parser: argparse.ArgumentParser, *names: str, required: bool = False) -> None:
    """Add options for names in the configuration: `run`, `seed`, `task`, `protocol`, …"""
    for name in names:
        parser.add_argument(f"--{name}", type=seed if name == "seed" else str, required=required, help=NAMES[name])


def add_paths(parser: argparse.ArgumentParser, **helps: str) -> None:
    """Add one path option for each keyword; its default follows from `--config`."""
    for name, text in helps.items():
        parser.add_argument(f"--{name}", type=Path, metavar="PATH", help=f"{text} (default: as in the workflow)")


def add_process(parser: argparse.ArgumentParser, gpus: bool = True) -> None:
    """Add `--threads`, and `--gpus` for commands that can use them."""
    parser.add_argument("--threads", type=count, default=1, metavar="N", help="CPU threads (default: 1)")
    if gpus:
        parser.add_argument("--gpus", type=whole(0), metavar="N", help="GPUs; 0: CPU (default: a GPU if there is one)")


def experiment(arguments: argparse.Namespace) -> "Experiment":
    """Return the configuration that `--config` names, read once."""
    if getattr(arguments, "experiment", None) is None:
        from mast.config.load import load_experiment  # with --spec no configuration is needed

        arguments.experiment = load_experiment(arguments.config)
    return arguments.experiment


def known(entries: Mapping[str, Entry], option: str, name: str | None) -> Entry:
    """Return the entry that an option names.

    Raises:
        MastError: the option is missing, or no entry has this name.
    """
    if name is None:
        raise MastError(f"--{option}: required with --config; {nearest('', entries)}")
    if name not in entries:
        raise MastError(f"--{option}: {name!r} is not in the configuration; {nearest(name, entries)}")
    return entries[name]


def path(arguments: argparse.Namespace, option: str, pattern: Path) -> Path:
    """Return the path given by an option, or the workflow's path: `pattern` (of PLACES) filled in, below `results`.

    Raises:
        MastError: neither the path nor `--config` with the names in the pattern was given.
    """
    given = getattr(arguments, option)
    if given is not None:
        return given
    if arguments.config is None:
        raise MastError(f"--{option}: required without --config")
    names = {field: _name(arguments, field) for _, field, _, _ in string.Formatter().parse(str(pattern)) if field}
    return Path(experiment(arguments).results) / str(pattern).format(**names)


def warn(lines: Iterable[str]) -> None:
    """Print warnings on standard error."""
    for line in lines:
        print(f"mast: warning: {line}", file=sys.stderr)


def _name(arguments: argparse.Namespace, field: str) -> Any:
    if field not in arguments:  # dataset of pretraining
        return known(experiment(arguments).runs, "run", arguments.run).dataset
    if getattr(arguments, field) is None:
        raise MastError(f"--{field}: required with --config")
    return getattr(arguments, field)
