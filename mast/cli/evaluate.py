"""`mast features`, and a command for each protocol that evaluates an encoder on labelled images."""

import argparse

from mast.cli.options import add_config, add_config_or_spec, add_names, add_paths, add_process, path, protocol_spec
from mast.config import FewShotProtocol, KnnProtocol, LinearProtocol, LinearSgdProtocol, SemiProtocol, SvmProtocol
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
        ("few-shot", "classify features in few-shot episodes", _few_shot),
        ("svm-voc", "fit linear SVMs on features of multi-label images", _svm),
    ):
        parser = commands.add_parser(name, help=text)
        add_config_or_spec(parser)
        add_names(parser, "protocol", required=True)
        add_names(parser, "run", "seed", "task")
        add_paths(parser, features="features file", output="metrics file")
        add_process(parser, gpus=False)
        parser.set_defaults(execute=execute)
    for name, text, execute in (
        ("linear-sgd", "train linear heads on an encoder with augmented images", _linear_sgd),
        ("semi", "fine-tune an encoder on a share of the labels", _semi),
    ):
        parser = commands.add_parser(name, help=text)
        add_config_or_spec(parser)
        add_names(parser, "protocol", required=True)
        add_names(parser, "run", "seed", "task")
        add_paths(parser, encoder="encoder file", data="directory of the prepared data", output="metrics file")
        add_process(parser)
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


def _few_shot(arguments: argparse.Namespace) -> None:
    spec = protocol_spec(arguments, FewShotProtocol)
    features, output = path(arguments, "features", FEATURES), path(arguments, "output", METRICS)
    set_up_process(arguments.threads)
    from mast.evaluate.few_shot import evaluate_few_shot

    evaluate_few_shot(arguments.protocol, spec, features, output)


def _svm(arguments: argparse.Namespace) -> None:
    spec = protocol_spec(arguments, SvmProtocol)
    features, output = path(arguments, "features", FEATURES), path(arguments, "output", METRICS)
    set_up_process(arguments.threads)
    from mast.evaluate.svm import evaluate_svm

    evaluate_svm(arguments.protocol, spec, features, output)


def _linear_sgd(arguments: argparse.Namespace) -> None:
    spec = protocol_spec(arguments, LinearSgdProtocol)
    paths = [path(arguments, "encoder", ENCODER), path(arguments, "data", DATA), path(arguments, "output", METRICS)]
    set_up_process(arguments.threads)
    from mast.evaluate.linear_sgd import evaluate_linear_sgd

    evaluate_linear_sgd(arguments.protocol, spec, *paths, device=choose_device(arguments.gpus))


def _semi(arguments: argparse.Namespace) -> None:
    spec = protocol_spec(arguments, SemiProtocol)
    paths = [path(arguments, "encoder", ENCODER), path(arguments, "data", DATA), path(arguments, "output", METRICS)]
    set_up_process(arguments.threads)
    from mast.evaluate.semi import evaluate_semi

    evaluate_semi(arguments.protocol, spec, *paths, device=choose_device(arguments.gpus))
