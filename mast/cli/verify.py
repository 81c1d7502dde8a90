"""`mast verify`: check that results are unchanged since they were recorded."""

import argparse
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("verify", help="check every recorded hash and file format of finished results again")
    parser.add_argument(
        "results", type=Path, metavar="RESULTS_DIR", help="results directory (`results` in the configuration)"
    )
    parser.set_defaults(execute=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from mast.verify import Verification

    verification = Verification(arguments.results)
    for finding in verification.findings():
        print(finding, flush=True)
    print(verification.summary())
    return 1 if verification.mismatches else 0
