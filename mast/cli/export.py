"""`mast export`: write a folder that other programs can load an encoder from."""

import argparse
from pathlib import Path

from mast.cli.options import OF_RUN, PLACES, add_config, add_names, add_paths, experiment, known, path
from mast.results import DataFiles


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("export", help="write an encoder for timm, torch.hub and the Hugging Face Hub")
    add_config(parser)
    add_names(parser, "run", "seed")
    add_paths(parser, encoder="encoder file", data="directory of the prepared data", output="folder to write")
    parser.add_argument(
        "metrics", type=Path, nargs="*", help="metrics files for the model card (default: all of the run)"
    )
    parser.set_defaults(execute=_export)


def _export(arguments: argparse.Namespace) -> None:
    metrics = arguments.metrics
    if arguments.config is not None and not metrics:
        dataset = known(experiment(arguments).runs, "run", arguments.run).dataset
        pattern = PLACES.metrics("*", "*", dataset, arguments.run, arguments.seed)
        metrics = sorted(Path(experiment(arguments).results).glob(str(pattern)))
    encoder = path(arguments, "encoder", PLACES.run(*OF_RUN).encoder)
    data = path(arguments, "data", PLACES.data("{dataset}").directory)
    output = path(arguments, "output", PLACES.export(*OF_RUN))
    from mast.export.folder import export_encoder

    export_encoder(encoder, DataFiles(data).manifest, metrics, output)
    print(output)
