"""The `mast` program: sets the process up, runs the command that is asked for, turns users' errors into one line."""

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence

import mast
from mast.errors import MastError
from mast.memory import shortage
from mast.runtime import set_up_process

EXIT_ERROR = 2
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
"""Command → the module of this package that has it. Modules import settings, and these import numpy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after an error that the user can put right.

    The error is one line on standard error. 1: `doctor` found something missing, `verify` something that differs.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    set_up_process(_threads(arguments))  # before numpy and torch are imported: they read the number of threads then
    try:
        chosen = _parser(arguments).parse_args(arguments)
        return chosen.execute(chosen) or 0
    except MastError as error:
        return _failed(str(error))
    except KeyboardInterrupt:
        print("mast: error: interrupted; run again", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if _memory_ran_out(error):
            return _failed("out of memory; give the job more, or choose smaller batches or images, then run again")
        if not isinstance(error, OSError):
            raise
        reason = error.strerror or str(error)  # numpy reports a full disk in words of its own
        place = f"{error.filename}: " if error.filename else ""
        return _failed(f"{place}{reason}; check disk space and permissions, then run again")


def _failed(message: str) -> int:
    print(f"mast: error: {message}", file=sys.stderr)
    return EXIT_ERROR


def _memory_ran_out(error: Exception) -> bool:
    """Whether the system, numpy, or torch on a CPU or GPU, has reported so."""
    return error.errno == errno.ENOMEM if isinstance(error, OSError) else shortage(error) is not None


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser with the command that is asked for, or with all of them: for help, and to name a mistyped one."""
    parser = argparse.ArgumentParser(prog="mast", description=mast.__doc__)
    parser.add_argument("--version", action="version", version=f"mast {mast.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    asked = COMMANDS.get(arguments[0]) if arguments else None
    for module in [asked] if asked else dict.fromkeys(COMMANDS.values()):
        importlib.import_module(f"mast.cli.{module}").add_commands(commands)
    return parser


def _threads(arguments: Sequence[str]) -> int:
    """The number that `--threads` gives, 1 without it; what is wrong with it, the command's own parser will say."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--threads", nargs="?", default="1", const="1")
    given = early.parse_known_args(arguments)[0].threads
    return int(given) if given.isdecimal() and int(given) else 1
