"""`mast export`: a folder with which others use an encoder."""

import argparse
from pathlib import Path

from mast.cli.options import add_config, add_names, add_paths, experiment, known, path
from mast.paths import DATA, ENCODER, EXPORT
from mast.results import DataFiles
from mast.runtime import set_up_process


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("export", help="write an encoder for timm, torch.hub and the Hugging Face Hub")
    add_config(parser)
    add_names(parser, "run", "seed")
    add_paths(parser, encoder="encoder file", data="directory of the prepared data", output="folder")
    parser.add_argument("metrics", type=Path, nargs="*", help="metrics files for the card (default: all of the run)")
    parser.set_defaults(execute=_export)


def _export(arguments: argparse.Namespace) -> None:
    metrics = arguments.metrics
    if arguments.config is not None:
        run, seed = arguments.run, arguments.seed
        arguments.task = known(experiment(arguments).runs, "run", run).dataset
        folder = Path(experiment(arguments).results) / "metrics"
        metrics = metrics or sorted(folder.glob(f"*/*/{arguments.task}/{run}/seed{seed}.json"))
    encoder, data = path(arguments, "encoder", ENCODER), path(arguments, "data", DATA)
    output = path(arguments, "output", EXPORT)
    set_up_process(1)
    from mast.export.folder import export_encoder

    export_encoder(encoder, DataFiles(data).manifest, metrics, output)
    print(output)
