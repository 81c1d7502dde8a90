"""`mast init`: write a commented configuration for images of your own."""

import argparse
import math
import re
import shlex
from pathlib import Path
from typing import Any

from mast.cli.options import count
from mast.errors import MastError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("init", help="write a configuration for images of your own")
    parser.add_argument(
        "images",
        type=Path,
        metavar="FOLDER",
        help="folder of images or of Parquet, Arrow or tar files; one such file; or a .csv, .tsv, .jsonl, .txt",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="YAML",
        help="file to write; its name is also that of the results (default: the folder's)",
    )
    parser.add_argument(
        "--minutes", type=float, default=3.0, help="time that one training run may take, minutes (default: 3)"
    )
    parser.add_argument(
        "--threads", type=count, default=1, metavar="N", help="CPU threads for the time measurement (default: 1)"
    )
    parser.add_argument("--force", action="store_true", help="replace the file, or results of other images")
    parser.set_defaults(execute=_init)


def _init(arguments: argparse.Namespace) -> None:
    images = arguments.images.resolve()
    called = arguments.output.stem if arguments.output else images.name if images.is_dir() else images.stem
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", called)[:64].strip("-_") or "own"
    output = arguments.output or Path(f"{name}.yaml")
    if output.exists() and not arguments.force:
        raise MastError(f"{output}: is there already; name another file with -o, or replace it with --force")
    if not images.exists():
        raise MastError(f"{arguments.images}: no such folder or file")
    if not 0 < arguments.minutes < math.inf:
        raise MastError(f"--minutes: {arguments.minutes:g} is no time; give a number above 0")
    from mast.starter.look import look

    found = look(images)
    if found.train < 4:
        raise MastError(f"{arguments.images}: {found.train} images to train on are too few; give hundreds or more")
    if not arguments.force:
        _refuse_results_of_others(name, found.settings)
    from mast.starter.choose import choose
    from mast.starter.write import configuration

    text = configuration(name, found, choose(found, arguments.minutes))
    import yaml

    from mast.config.experiment import Experiment
    from mast.files import write_text
    from mast.settings import parse

    parse(Experiment, yaml.safe_load(text), str(output))
    write_text(output, text)
    quoted = shlex.quote(str(output))
    print(f"{output}: {found.train} images; see them as a run does: mast views {quoted} --run mast")
    print(f"train: snakemake all --profile profiles/default --configfile {quoted}")


def _refuse_results_of_others(name: str, settings: dict[str, Any]) -> None:
    """Refuse a name whose results have data of images elsewhere: two configurations would undo each other's results."""
    from mast.records import Manifest
    from mast.results import Results

    manifest = Results(Path("results", name)).data("own").manifest
    if not manifest.exists():
        return
    before, now = Path(Manifest.read(manifest).spec.get("root", "")), Path(settings["root"])
    if not (before.is_relative_to(now) or now.is_relative_to(before)):
        raise MastError(
            f"results/{name}: has results of other images ({before}); choose another name with -o, or replace them "
            "with --force"
        )
