"""`mast detect`: train and score a detector on top of an encoder."""

import argparse

from mast.cli.options import add_config_or_spec, add_names, add_paths, add_process, path, protocol_spec
from mast.config import DetectionProtocol
from mast.paths import DATA, ENCODER, METRICS
from mast.runtime import choose_device, set_up_process


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("detect", help="transfer an encoder to object detection")
    add_config_or_spec(parser)
    add_names(parser, "protocol", "seed", required=True)
    add_names(parser, "run", "task")
    add_paths(parser, encoder="encoder file", data="directory of the prepared data", output="metrics file")
    add_process(parser)
    parser.set_defaults(execute=_detect)


def _detect(arguments: argparse.Namespace) -> None:
    spec = protocol_spec(arguments, DetectionProtocol)
    paths = [path(arguments, "encoder", ENCODER), path(arguments, "data", DATA), path(arguments, "output", METRICS)]
    set_up_process(arguments.threads)
    from mast.protocols.detection import evaluate_detection

    evaluate_detection(arguments.protocol, spec, *paths, seed=arguments.seed, device=choose_device(arguments.gpus))
