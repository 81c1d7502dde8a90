"""`mast features`, `mast linear`, `mast knn`: evaluate a frozen encoder on labelled images."""

import argparse

from mast.cli.options import add_config, add_config_or_spec, add_names, add_paths, add_process, path, protocol_spec
from mast.config import KnnProtocol, LinearProtocol
from mast.paths import DATA, ENCODER, FEATURES, METRICS
from mast.runtime import choose_device, set_up_process


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    features = commands.add_parser("features", help="extract an encoder's features of a data set")
    add_config(features)
    add_names(features, "run", "seed", "task")
    add_paths(features, encoder="encoder file", data="directory of the prepared data", output="features file")
    add_process(features)
    features.set_defaults(execute=_features)
    for name, text, execute in (
        ("linear", "fit linear classifiers on features", _linear),
        ("knn", "classify features by their nearest neighbours", _knn),
    ):
        parser = commands.add_parser(name, help=text)
        add_config_or_spec(parser)
        add_names(parser, "protocol", required=True)
        add_names(parser, "run", "seed", "task")
        add_paths(parser, features="features file", output="metrics file")
        add_process(parser, gpus=False)
        parser.set_defaults(execute=execute)


def _features(arguments: argparse.Namespace) -> None:
    paths = [path(arguments, "encoder", ENCODER), path(arguments, "data", DATA), path(arguments, "output", FEATURES)]
    set_up_process(arguments.threads)
    from mast.evaluate.features import extract_features

    extract_features(*paths, device=choose_device(arguments.gpus))


def _linear(arguments: argparse.Namespace) -> None:
    spec = protocol_spec(arguments, LinearProtocol)
    features, output = path(arguments, "features", FEATURES), path(arguments, "output", METRICS)
    set_up_process(arguments.threads)
    from mast.evaluate.linear import evaluate_linear

    evaluate_linear(arguments.protocol, spec, features, output)


def _knn(arguments: argparse.Namespace) -> None:
    spec = protocol_spec(arguments, KnnProtocol)
    features, output = path(arguments, "features", FEATURES), path(arguments, "output", METRICS)
    set_up_process(arguments.threads)
    from mast.evaluate.knn import evaluate_knn

    evaluate_knn(arguments.protocol, spec, features, output)
