"""`mast verify`: whether results are what was recorded of them."""

import argparse
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("verify", help="re-check every recorded hash and file format of finished results")
    parser.add_argument("results", type=Path, metavar="RESULTS_DIR", help="the configuration's `results`")
    parser.set_defaults(execute=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from mast.verify import Verification

    verification = Verification(arguments.results)
    for finding in verification.findings():
        print(finding, flush=True)
    print(verification.summary())
    return 1 if verification.mismatches else 0
