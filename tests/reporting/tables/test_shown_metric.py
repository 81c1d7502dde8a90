"""A study may choose the metric that its table shows, and the seeds of its runs."""

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from support import ROOT

from mast.config.experiment import Experiment
from mast.config.plan import study_metrics
from mast.config.tables import TableSpec
from mast.errors import MastError
from mast.reporting.panels import first_metrics
from mast.reporting.tables.study import write_table
from mast.settings import parse

SMOKE = ROOT / "config/smoke.yaml"


def spec(metrics: dict[str, str], kind: str = "linear-lbfgs") -> TableSpec:
    row = {"run": "vicreg", "label": "VICReg", "method": "vicreg", "encoder": "resnet18", "dataset": "shapes"}
    tasks = ["pets", "digits"]
    values = {"name": "t", "title": "T", "protocol": "linear", "kind": kind, "tasks": tasks, "rows": [row]}
    return parse(TableSpec, values | {"metrics": metrics}, "test")


def table(tmp_path: Path, metrics_file: Callable[..., Path], shown: dict[str, str]) -> str:
    values = {"label": {"top1": 81.0, "top5": 95.0, "mean_per_class": 72.0}}
    files = [metrics_file(task=task, metrics=values) for task in ("pets", "digits")]
    (tmp_path / "published.yaml").write_text("values: []")
    write_table(spec(shown), files, tmp_path / "published.yaml", tmp_path / "t")
    return (tmp_path / "t.md").read_text(encoding="utf-8")


def test_each_task_shows_its_own_metric_and_the_csv_all(tmp_path: Path, metrics_file: Callable[..., Path]) -> None:
    text = table(tmp_path, metrics_file, {"pets": "mean_per_class"})
    assert "| VICReg | 72.0 | 81.0 | 76.5 |" in text
    assert "Top-1 accuracy (digits); Mean per-class accuracy (pets), percent" in text
    with (tmp_path / "t.csv").open() as file:
        written = {(line["task"], line["metric"]) for line in csv.DictReader(file)}
    assert written >= {(task, metric) for task in ("pets", "digits") for metric in ("top1", "top5", "mean_per_class")}


def test_one_metric_for_all_tasks(tmp_path: Path, metrics_file: Callable[..., Path]) -> None:
    text = table(tmp_path, metrics_file, {"pets": "top5", "digits": "top5"})
    assert "| VICReg | 95.0 | 95.0 | 95.0 |" in text
    assert "- Top-5 accuracy, percent: " in text


def test_figures_draw_the_metric_that_the_table_shows(tmp_path: Path, metrics_file: Callable[..., Path]) -> None:
    table(tmp_path, metrics_file, {"pets": "mean_per_class"})
    drawn = first_metrics(pd.read_csv(tmp_path / "t.csv")).set_index("task")
    assert drawn["mean"].loc[["pets", "digits", "all"]].tolist() == [72.0, 81.0, 76.5]


def test_a_metric_that_no_file_holds_is_named(tmp_path: Path, metrics_file: Callable[..., Path]) -> None:
    (tmp_path / "published.yaml").write_text("values: []")
    files = [metrics_file(task=task) for task in ("pets", "digits")]
    with pytest.raises(MastError, match=r"studies\.t\.metric: top5 of 'hue' of task 'digits' is in no metrics file"):
        write_table(spec({"digits": "top5"}), files, tmp_path / "published.yaml", tmp_path / "t")


def test_a_target_without_the_metric_is_not_left_out(tmp_path: Path, metrics_file: Callable[..., Path]) -> None:
    (tmp_path / "published.yaml").write_text("values: []")
    both = {"hue": {"top1": 50.0, "top5": 90.0}, "shape": {"top1": 50.0}}
    files = [metrics_file(task=task, metrics=both) for task in ("pets", "digits")]
    with pytest.raises(MastError, match=r"studies\.t\.metric: top5 of 'shape' of task 'pets' is in no metrics file"):
        write_table(spec({"pets": "top5"}), files, tmp_path / "published.yaml", tmp_path / "t")


def experiment(**study: object) -> Experiment:
    values = yaml.safe_load(SMOKE.read_text(encoding="utf-8"))
    values["studies"]["linear"].pop("compare")
    values["figures"].pop("differences")
    values["studies"]["linear"] |= study
    return parse(Experiment, values, "config.yaml")


def test_metric_of_a_study_reaches_its_table() -> None:
    assert experiment(metric="top5").table_spec("linear").metrics == {"shapes": "top5", "digits": "top5"}
    assert experiment(metric={"digits": "top5"}).table_spec("linear").metrics == {"digits": "top5"}
    assert experiment().table_spec("linear").metrics == {}
    with pytest.raises(MastError, match=r"studies\.linear\.metric: 'pets' is not a task of the study"):
        experiment(metric={"pets": "top5"})


def test_seeds_of_a_study_limit_what_is_evaluated() -> None:
    all_seeds = {Path(file).stem for file in study_metrics(experiment(runs=["mast"]), "linear")}
    one_seed = {Path(file).stem for file in study_metrics(experiment(runs=["mast"], seeds=[1]), "linear")}
    assert (all_seeds, one_seed) == ({"seed0", "seed1"}, {"seed1"})
