"""The `mast` program: reads the command line, runs one command, turns errors of the user into one line."""

import argparse
import sys
from collections.abc import Sequence

import mast
from mast.cli import (
    analyze,
    configuration,
    data,
    doctor,
    embed,
    evaluate,
    export,
    pretrain,
    report,
    transfer,
    verify,
)
from mast.errors import MastError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
_COMMANDS = (configuration, doctor, data, pretrain, evaluate, transfer, analyze, report, export, embed, verify)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after an error that the user can put right.

    The error is one line on standard error. 1: `doctor` found something missing, `verify` something that differs.
    """
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.execute(chosen) or 0
    except MastError as error:
        print(f"mast: error: {error}", file=sys.stderr)
        return EXIT_ERROR
    except OSError as error:
        reason = error.strerror or str(error)  # numpy reports a full disk in words of its own
        place = f"{error.filename}: " if error.filename else ""
        print(f"mast: error: {place}{reason}; check disk space and permissions, then run again", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("mast: error: interrupted; run again", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mast", description=mast.__doc__)
    parser.add_argument("--version", action="version", version=f"mast {mast.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    for module in _COMMANDS:
        module.add_commands(commands)
    return parser
