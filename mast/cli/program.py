"""The `mast` program: set the process up, run one command, and print users' errors as one line."""

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence
from functools import partial

import mast
from mast.errors import MastError
from mast.memory import shortage
from mast.runtime import set_up_process
from mast.signals import StoppedBySignalError

EXIT_ERROR = MastError.EXIT_STATUS
EXIT_STOPPED = StoppedBySignalError.EXIT_STATUS
EXIT_INTERRUPTED = 130

COMMANDS = {
    "init": "init",
    "validate": "configuration",
    "schema": "configuration",
    "doctor": "doctor",
    "prepare": "data",
    "pretrain": "pretrain",
    "features": "evaluate",
    "evaluate": "evaluate",
    "analyze": "analyze",
    "table": "report",
    "compare": "report",
    "health": "report",
    "figure": "report",
    "fill": "report",
    "index": "report",
    "export": "export",
    "embed": "embed",
    "verify": "verify",
    "views": "views",
    "watch": "watch",
}
"""Command → the module of this package that defines it. Modules import settings, which import numpy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after an error that the user can correct, or 75 after a stop by a signal.

    Errors and stops are one line on standard error. The status is 1 if `doctor` found something missing or `verify` a
    difference.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    set_up_process(_threads(arguments))  # before numpy and torch are imported: they then read the number
    try:
        chosen = build_parser(arguments).parse_args(arguments)
        return chosen.execute(chosen) or 0
    except MastError as error:
        return _failed(str(error), error.EXIT_STATUS)
    except KeyboardInterrupt:
        print("mast: error: interrupted; run again", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if _memory_ran_out(error):
            return _failed("out of memory; give the job more, or choose smaller batches or images, then run again")
        if not isinstance(error, OSError):
            raise
        reason = error.strerror or str(error)  # numpy reports a full disk in its own words
        place = f"{error.filename}: " if error.filename else ""
        return _failed(f"{place}{reason}; check disk space and permissions, then run again")


def _failed(message: str, status: int = EXIT_ERROR) -> int:
    print(f"mast: error: {message}", file=sys.stderr)
    return status


def _memory_ran_out(error: Exception) -> bool:
    """Return whether the error is a report of missing memory, by the system, numpy, or torch on a CPU or GPU."""
    return error.errno == errno.ENOMEM if isinstance(error, OSError) else shortage(error) is not None


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser with the given command; with all commands for help, and to suggest names for a mistyped one."""
    plain = partial(argparse.ArgumentParser, allow_abbrev=False)  # `_threads` knows whole names only
    parser = plain(prog="mast", description=(mast.__doc__ or "").split("\n")[0])
    parser.add_argument("--version", action="version", version=f"mast {mast.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="<command>", required=True, parser_class=plain)
    asked = COMMANDS.get(arguments[0]) if arguments else None
    for module in [asked] if asked else dict.fromkeys(COMMANDS.values()):
        importlib.import_module(f"mast.cli.{module}").add_commands(commands)
    return parser


def _threads(arguments: Sequence[str]) -> int:
    """Return the number given by `--threads`, or 1. The command's own parser reports invalid values."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--threads", nargs="?", default="1", const="1")
    given = early.parse_known_args(arguments)[0].threads
    return int(given) if given.isdecimal() and int(given) else 1
