"""`mast features`, and a command for each protocol that evaluates an encoder on labelled images."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from mast.cli.options import add_config, add_config_or_spec, add_names, add_paths, add_process, path, protocol_spec
from mast.config import FewShotProtocol, KnnProtocol, LinearProtocol, LinearSgdProtocol, SemiProtocol, SvmProtocol
from mast.paths import DATA, ENCODER, FEATURES, METRICS
from mast.runtime import choose_device, set_up_process

Evaluate = Callable[..., None]


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    features = commands.add_parser("features", help="extract an encoder's features of a data set")
    add_config(features)
    add_names(features, "run", "seed", "task")
    add_paths(features, encoder="encoder file", data="directory of the prepared data", output="features file")
    add_process(features)
    features.set_defaults(execute=_features)
    for name, text, kind, load in (
        ("linear", "fit linear classifiers on features", LinearProtocol, _load_linear),
        ("knn", "classify features by their nearest neighbours", KnnProtocol, _load_knn),
        ("few-shot", "classify features in few-shot episodes", FewShotProtocol, _load_few_shot),
        ("svm-voc", "fit linear SVMs on features of multi-label images", SvmProtocol, _load_svm),
    ):
        parser = _protocol_parser(commands, name, text)
        add_paths(parser, features="features file", output="metrics file")
        add_process(parser, gpus=False)
        parser.set_defaults(execute=partial(_on_features, kind, load))
    for name, text, kind, load in (
        ("linear-sgd", "train linear heads on an encoder with augmented images", LinearSgdProtocol, _load_linear_sgd),
        ("semi", "fine-tune an encoder on a share of the labels", SemiProtocol, _load_semi),
    ):
        parser = _protocol_parser(commands, name, text)
        add_paths(parser, encoder="encoder file", data="directory of the prepared data", output="metrics file")
        add_process(parser)
        parser.set_defaults(execute=partial(_on_images, kind, load))


def _protocol_parser(commands: argparse._SubParsersAction, name: str, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text)
    add_config_or_spec(parser)
    add_names(parser, "protocol", required=True)
    add_names(parser, "run", "seed", "task")
    return parser


def _features(arguments: argparse.Namespace) -> None:
    paths = [path(arguments, "encoder", ENCODER), path(arguments, "data", DATA), path(arguments, "output", FEATURES)]
    set_up_process(arguments.threads)
    from mast.evaluation.features import extract_features

    extract_features(*paths, device=choose_device(arguments.gpus))


def _on_features(kind: Any, load: Callable[[], Evaluate], arguments: argparse.Namespace) -> None:
    spec = protocol_spec(arguments, kind)
    features, output = path(arguments, "features", FEATURES), path(arguments, "output", METRICS)
    set_up_process(arguments.threads)
    load()(arguments.protocol, spec, features, output)


def _on_images(kind: Any, load: Callable[[], Evaluate], arguments: argparse.Namespace) -> None:
    spec = protocol_spec(arguments, kind)
    paths = [path(arguments, "encoder", ENCODER), path(arguments, "data", DATA), path(arguments, "output", METRICS)]
    set_up_process(arguments.threads)
    load()(arguments.protocol, spec, *paths, device=choose_device(arguments.gpus))


# Imported late: numerical libraries read the number of threads when they are.


def _load_linear() -> Evaluate:
    from mast.protocols.linear_lbfgs import evaluate_linear

    return evaluate_linear


def _load_knn() -> Evaluate:
    from mast.protocols.knn import evaluate_knn

    return evaluate_knn


def _load_few_shot() -> Evaluate:
    from mast.protocols.few_shot import evaluate_few_shot

    return evaluate_few_shot


def _load_svm() -> Evaluate:
    from mast.protocols.svm_voc import evaluate_svm

    return evaluate_svm


def _load_linear_sgd() -> Evaluate:
    from mast.protocols.linear_sgd import evaluate_linear_sgd

    return evaluate_linear_sgd


def _load_semi() -> Evaluate:
    from mast.protocols.semi import evaluate_semi

    return evaluate_semi
