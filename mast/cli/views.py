"""`mast views`: draw pairs of views that a run would train on."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mast.cli.options import add_process, known, seed
from mast.errors import MastError

if TYPE_CHECKING:
    from mast.config.experiment import Experiment


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("views", help="draw pairs of views that a run would train on")
    parser.add_argument("config", type=Path, metavar="YAML", help="a configuration")
    parser.add_argument("--run", required=True, help="name of a run in it")
    parser.add_argument("--seed", type=seed, default=0, help="seed of the views (default: 0)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("views.png"),
        metavar="PNG",
        help="picture to write; an SVG is written next to it (default: views.png)",
    )
    add_process(parser, gpus=False)
    parser.set_defaults(execute=_views)


def _views(arguments: argparse.Namespace) -> None:
    if arguments.output.suffix != ".png":
        raise MastError(f"--output: {arguments.output} does not end with .png, the format that is written")
    from mast.config.load import load_experiment
    from mast.results import Results

    experiment = load_experiment(arguments.config)
    run = known(experiment.runs, "run", arguments.run)
    data = Results(experiment.results).data(run.dataset)
    from mast.preflight.standing import standing

    now = standing(experiment, run.dataset)
    if now.due or not now.prepared:  # for the picture only: the workflow prepares data itself and knows about it
        from mast.data.prepare import prepare

        with tempfile.TemporaryDirectory() as folder:
            prepare(run.dataset, experiment.datasets[run.dataset], Path(folder) / "data", arguments.threads)
            _draw(arguments, experiment, Path(folder) / "data")
    else:
        _draw(arguments, experiment, data.directory)


def _draw(arguments: argparse.Namespace, experiment: Experiment, data: Path) -> None:
    from mast.analysis.pairs import sample_pairs
    from mast.data.prepared.store import open_prepared
    from mast.reporting.figures.views import draw_pairs

    pairs = sample_pairs(experiment.pretrain_spec(arguments.run), open_prepared(data), arguments.seed)
    run = experiment.runs[arguments.run]
    draw_pairs({run.label or arguments.run: pairs}, arguments.output.with_suffix(""))
    print(f"{arguments.output}: {len(pairs['images'])} images of {run.dataset!r} as {arguments.run!r} sees them")
