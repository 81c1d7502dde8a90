"""`mast validate` and `mast schema`: check a configuration, and describe its keys."""

import argparse
import json
from pathlib import Path

from mast.cli.options import warn
from mast.config.load import load_experiment
from mast.errors import MastError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    validate = commands.add_parser("validate", help="check a configuration file")
    validate.add_argument("config", type=Path, metavar="YAML", help="configuration file")
    validate.set_defaults(execute=_validate)
    schema = commands.add_parser("schema", help="print the configuration's JSON schema, or a reference page")
    pages = schema.add_mutually_exclusive_group()
    pages.add_argument("--markdown", action="store_true", help="print a Markdown reference of every key instead")
    pages.add_argument("--formats", action="store_true", help="print a reference of the result files' records instead")
    pages.add_argument("--api", action="store_true", help="print a reference of the Python interface instead")
    pages.add_argument("--commands", action="store_true", help="print a reference of the commands instead")
    schema.set_defaults(execute=_schema)


def _validate(arguments: argparse.Namespace) -> None:
    from mast.preflight.experiment import check_experiment

    experiment = load_experiment(arguments.config)
    try:
        warn(check_experiment(experiment, anywhere=True))
    except MastError as error:
        raise MastError(f"{arguments.config}: {error}") from None
    trainings = sum(len(experiment.run_seeds(run)) for run in experiment.runs)
    print(f"{arguments.config}: ok (runs: {len(experiment.runs)}; training runs, one for each seed: {trainings})")


def _schema(arguments: argparse.Namespace) -> None:
    from mast.config.schema import formats_markdown, json_schema, markdown

    if arguments.api:
        from mast.api.page import api_markdown

        print(api_markdown(), end="")
    elif arguments.commands:
        from mast.cli.reference import commands_markdown

        print(commands_markdown(), end="")
    elif arguments.formats:
        print(formats_markdown())
    else:
        print(markdown() if arguments.markdown else json.dumps(json_schema(), indent=1, ensure_ascii=False))
