"""Options of the command."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.parts import PARTS
from mast.cli.options import positive

RESULTS, TINY_RESULTS = Path("benchmarks/results"), Path("results/gpu-tiny")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options, complete and checked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description="Check the GPU path against the CPU, and measure it beside its peers, on one CUDA device.",
        epilog="\n".join(["parts, the most important first:", *(f"  {n:15}{part.about}" for n, part in PARTS.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--only", nargs="+", metavar="PART", choices=PARTS, help="run these parts, in this order")
    parser.add_argument("--minutes", type=positive, default=8.0, help="for all parts together (default: 8)")
    parser.add_argument("--claim", type=positive, metavar="MINUTES", help="instead: train all methods for so long")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu is for --tiny (default: cuda)")
    parser.add_argument("--tiny", action="store_true", help="every part in miniature, to see that it works")
    parser.add_argument("--keep", action="store_true", help="add to the gpu.json that is there, not begin anew")
    parser.add_argument("--output", type=Path, metavar="DIR", help=f"(default: {RESULTS}, of --tiny {TINY_RESULTS})")
    options = parser.parse_args(arguments)
    if options.device == "cpu" and not options.tiny:
        parser.error("--device cpu: the sizes are a GPU's; add --tiny")
    if options.claim and options.only:
        parser.error("--claim: runs no parts; leave --only out")
    options.output = options.output or (TINY_RESULTS if options.tiny else RESULTS)
    return options
