"""`mast features` and `mast evaluate`: extract an encoder's features of a dataset, and evaluate it under a protocol."""

import argparse
from pathlib import Path

from mast.catalogue import union
from mast.cli.options import (
    OF_RUN,
    PLACES,
    SEVERAL,
    add_config,
    add_config_or_spec,
    add_names,
    add_paths,
    add_process,
    experiment,
    known,
    path,
)
from mast.errors import MastError
from mast.runtime import become_several, choose_device
from mast.settings import parse_spec

INPUTS = {
    "features": PLACES.features(*OF_RUN, "{task}"),
    "encoder": PLACES.run(*OF_RUN).encoder,
    "data": PLACES.data("{task}").directory,
}
"""Option of an input → its path in the workflow's results."""

METRICS = PLACES.metrics("{protocol}", "{task}", *OF_RUN)


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    features = commands.add_parser("features", help="extract an encoder's features of a dataset")
    add_config(features)
    add_names(features, "run", "seed", "task")
    add_paths(features, encoder="encoder file", data="directory of the prepared data", output="features file")
    features.add_argument(
        "--pooling",
        choices=("global", "grid"),
        default="global",
        help="pooling of the encoder's last stage (default: global)",
    )
    add_process(features)
    features.epilog = SEVERAL
    features.set_defaults(execute=_features)
    parser = commands.add_parser("evaluate", help="evaluate an encoder, or its features, under a protocol")
    add_config_or_spec(parser)
    add_names(parser, "protocol", required=True)
    add_names(parser, "run", "seed", "task")
    add_paths(
        parser,
        features="features file, for protocols that read features",
        encoder="encoder file, for other protocols",
        data="directory of the prepared data, for protocols that do not read features",
        output="metrics file",
    )
    add_process(parser)
    parser.epilog = f"{SEVERAL} Protocols that read features take one process."
    parser.set_defaults(execute=_evaluate)


def _features(arguments: argparse.Namespace) -> None:
    paths = [path(arguments, option, INPUTS[option]) for option in ("encoder", "data")]
    paths.append(path(arguments, "output", PLACES.features(*OF_RUN, "{task}", arguments.pooling)))
    device = choose_device(arguments.gpus)
    become_several(arguments.gpus, arguments.threads)
    from mast.evaluation.features import extract_features

    extract_features(*paths, device=device, pooling=arguments.pooling)


def _evaluate(arguments: argparse.Namespace) -> None:
    if arguments.spec is None:
        protocol = known(experiment(arguments).protocols, "protocol", arguments.protocol)
    else:
        from mast.protocols import PROTOCOLS

        protocol = parse_spec(union(PROTOCOLS), arguments.spec)
    options = ("features",) if protocol.READS == "features" else ("encoder", "data")
    for option in INPUTS.keys() - options:
        if getattr(arguments, option) is not None:
            wanted = " and ".join(f"--{name}" for name in options)
            raise MastError(f"--{option}: {protocol.kind!r} reads {protocol.READS}; give {wanted}")
    places = INPUTS | {"features": PLACES.features(*OF_RUN, "{task}", protocol.feature_pooling)}
    inputs = [path(arguments, option, places[option]) for option in options]
    output = path(arguments, "output", METRICS)
    if protocol.READS == "features":
        from mast.evaluation.run import evaluate_features

        made_from = _made_from(arguments) if arguments.features is None else ()
        evaluate_features(arguments.protocol, protocol, *inputs, output, *made_from)
    else:
        protocol.check_processes(arguments.protocol, max(1, arguments.gpus or 0))
        device = choose_device(arguments.gpus)
        become_several(arguments.gpus, arguments.threads)
        from mast.evaluation.run import evaluate_encoder

        evaluate_encoder(arguments.protocol, protocol, *inputs, output, arguments.seed, device)


def _made_from(arguments: argparse.Namespace) -> list[Path]:
    """Return the record of the run and the manifest of the task whose features the configuration names."""
    places = (PLACES.run(*OF_RUN).record, PLACES.data("{task}").manifest)
    return [path(arguments, "features", place) for place in places]
