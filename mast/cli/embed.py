"""`mast embed`: write the features of a folder of images."""

import argparse
from pathlib import Path

from mast.cli.options import add_process, count
from mast.runtime import choose_device
from mast.settings import PixelRange, parse


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("embed", help="write the features of a folder of images")
    parser.add_argument("--encoder", type=Path, required=True, metavar="PATH", help="exported folder, or encoder file")
    parser.add_argument("--images", type=Path, required=True, metavar="PATH", help="directory of images, at any depth")
    parser.add_argument("--output", type=Path, required=True, metavar="PATH", help="features: .npz or .parquet")
    parser.add_argument("--size", type=count, metavar="N", help="side of the images, pixels (default: the export's)")
    parser.add_argument(
        "--unreadable", choices=("stop", "skip"), default="stop", help="what to do with files that cannot be decoded"
    )
    parser.add_argument(
        "--range", default="full", metavar="RANGE", help="range of images of more than 8 bits: full, minmax or LOW,HIGH"
    )
    add_process(parser)
    parser.set_defaults(execute=_embed)


def _embed(arguments: argparse.Namespace) -> None:
    ends = arguments.range.split(",")
    levels = parse(PixelRange, ends if len(ends) > 1 else arguments.range, "--range")
    from mast.export.embed import embed

    paths = arguments.encoder, arguments.images, arguments.output
    device = choose_device(arguments.gpus)
    embed(*paths, arguments.size, device, arguments.threads, arguments.unreadable, levels)
