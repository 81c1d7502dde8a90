"""`mast pretrain`: train one run with one seed."""

import argparse
import os

from mast.cli.options import (
    OF_RUN,
    PLACES,
    SEVERAL,
    add_config_or_spec,
    add_names,
    add_paths,
    add_process,
    experiment,
    known,
    path,
    positive,
    warn,
)
from mast.errors import MastError
from mast.runtime import become_several, choose_device
from mast.settings import parse_spec


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("pretrain", help="pretrain an encoder")
    add_config_or_spec(parser)
    add_names(parser, "run", "seed", required=True)
    add_paths(parser, data="directory of the prepared data", output="directory of the encoder and its logs")
    minutes = "minutes between two checkpoints (default: as in the settings)"
    parser.add_argument("--checkpoint-minutes", type=positive, metavar="N", help=minutes)
    parser.add_argument("--monitor", metavar="JSON", help="with --spec: settings of the monitor")
    add_process(parser)
    parser.epilog = SEVERAL
    parser.set_defaults(execute=_pretrain)


def _pretrain(arguments: argparse.Namespace) -> None:
    if arguments.spec is None:
        if arguments.monitor is not None:
            raise MastError("--monitor: goes with --spec; a configuration has the key `monitor`")
        known(experiment(arguments).runs, "run", arguments.run)
        spec, monitor = experiment(arguments).pretrain_spec(arguments.run), experiment(arguments).monitor
    else:
        from mast.config.monitor import MonitorSpec
        from mast.config.pretrain import PretrainSpec

        spec, monitor = parse_spec(PretrainSpec, arguments.spec), parse_spec(MonitorSpec, arguments.monitor or "{}")
    if arguments.checkpoint_minutes is not None:
        spec = spec.model_copy(update={"checkpoint_minutes": arguments.checkpoint_minutes})
    data = path(arguments, "data", PLACES.data("{dataset}").directory)
    output = path(arguments, "output", PLACES.run(*OF_RUN).directory)
    device = choose_device(arguments.gpus)
    become_several(arguments.gpus, arguments.threads)
    from mast.preflight.doubts import of_run
    from mast.pretraining.run import pretrain

    if os.environ.get("RANK", "0") == "0":
        warn(f"{key}: {line}" for key, line in of_run(spec))
    pretrain(spec, arguments.run, arguments.seed, data, output, device, arguments.threads, monitor)
