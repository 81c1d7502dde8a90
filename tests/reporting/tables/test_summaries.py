"""Summaries over tasks equal NumPy's and SciPy's of the same scores, and a study chooses which ones it shows."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from mast.config.experiment import Experiment
from mast.config.tables import DEFAULT_SUMMARY, Summary, TableSpec
from mast.errors import MastError
from mast.preflight.experiment import check_experiment
from mast.reporting.panels import first_metrics
from mast.reporting.tables.study import write_table
from mast.reporting.tables.summaries import RANK, over_tasks, summed_up
from mast.settings import parse

RUNS = ["untrained", "vicreg", "mast", "supervised"]
CHANCE = np.array([10.0, 50.0, 25.0])
COLUMNS = [("shapes", target, "top1") for target in ("hue", "size", "light")]


def scores(seeds: int = 4) -> np.ndarray:
    """Return scores [seeds, runs, tasks] in whole percent, so that some are tied."""
    return np.random.default_rng(3).integers(40, 46, (seeds, len(RUNS), len(COLUMNS))).astype(float)


def tidy(values: np.ndarray) -> pd.DataFrame:
    lines = [
        {"seed": seed, "run": run, "task": task, "target": target, "metric": metric, "value": value, "chance": chance}
        for seed, of_seed in enumerate(values)
        for run, of_run in zip(RUNS, of_seed, strict=True)
        for (task, target, metric), value, chance in zip(COLUMNS, of_run, CHANCE, strict=True)
        if not np.isnan(value)
    ]
    return pd.DataFrame(lines)


def test_ranks_are_those_of_scipy_among_the_ranked_runs() -> None:
    values = scores()
    ranks = rankdata(-values[:, :3], axis=1).mean(axis=2)
    assert (ranks % 1).any()  # ties share their mean
    found = summed_up(tidy(values), COLUMNS, RUNS, ranked=RUNS[:3])[RANK]
    np.testing.assert_allclose(found[RUNS[:3]], ranks)
    assert list(found) == RUNS and found["supervised"].isna().all()


def test_scores_that_differ_in_the_last_bit_are_tied() -> None:
    values = np.full((1, 4, 3), 44.0)
    values[:, 1] = np.nextafter(44.0, 100)
    found = summed_up(tidy(values), COLUMNS, RUNS, ranked=RUNS[:3])[RANK]
    assert found[RUNS[:3]].to_numpy().tolist() == [[2, 2, 2]]


def test_a_seed_that_a_ranked_run_lacks_has_no_ranks_and_one_that_others_lack_has() -> None:
    values = scores()
    values[1, 2, 0] = values[3, 3] = np.nan  # mast has no hue of seed 1; the supervised run, not ranked, no seed 3
    found = summed_up(tidy(values), COLUMNS, RUNS, ranked=RUNS[:3])
    expected = rankdata(-values[:, :3], axis=1).mean(axis=2)
    np.testing.assert_allclose(found[RANK].dropna(how="all")[RUNS[:3]], expected[[0, 2, 3]])
    mean = found[over_tasks("mean", COLUMNS)]
    np.testing.assert_allclose(mean.reindex(columns=RUNS), values.mean(axis=2))  # NaN where a task is missing


def test_means_and_lowest_scores_are_numpys_and_corrected_before() -> None:
    values = scores()
    above = 100 * (values - CHANCE) / (100 - CHANCE)
    found = summed_up(tidy(values), COLUMNS, RUNS, RUNS)
    oracles = {"mean": values.mean(2), "worst": values.min(2)}
    oracles |= {"corrected mean": above.mean(2), "corrected worst": above.min(2)}
    for summary, expected in oracles.items():
        np.testing.assert_allclose(found[over_tasks(summary, COLUMNS)], expected)
    assert {column[1] for column in found} == {*oracles, "mean rank"}


def row(run: str) -> dict[str, object]:
    facts = {"method": run, "with_labels": run == "supervised", "encoder": "resnet18", "dataset": "shapes"}
    return {"run": run, "label": run, **facts}


def spec(summary: tuple[str, ...] = get_args(Summary), **changed: object) -> TableSpec:
    values = {"name": "linear", "title": "Linear", "protocol": "linear", "kind": "linear-lbfgs", "tasks": ["shapes"]}
    return parse(TableSpec, values | {"rows": [row(run) for run in RUNS], "summary": summary} | changed, "test")


@pytest.fixture
def written(tmp_path: Path, metrics_file: Callable[..., Path]) -> Callable[..., list[str]]:
    """Write the table of `scores`, and return the lines of its Markdown."""

    def write(table: TableSpec, with_chance: bool = True, columns: int = 3) -> list[str]:
        chance = {target: {"top1": level} for (_, target, _), level in zip(COLUMNS, CHANCE, strict=True)}
        files = [
            metrics_file(
                run,
                seed,
                metrics={
                    target: {"top1": value} for (_, target, _), value in zip(COLUMNS[:columns], own, strict=False)
                },
                **({"chance": chance} if with_chance else {}),
            )
            for seed, of_seed in enumerate(scores())
            for run, own in zip(RUNS, of_seed, strict=True)
        ]
        write_table(table, files, None, tmp_path / "t")
        return (tmp_path / "t.md").read_text(encoding="utf-8").splitlines()

    return write


def test_every_summary_is_a_column(written: Callable[..., list[str]], tmp_path: Path) -> None:
    lines = written(spec())
    assert lines[2] == "| run | hue | size | light | mean | worst | rank | corrected mean | corrected worst |"
    ranks = rankdata(-scores()[:, :3], axis=1).mean(axis=2)
    shown = [line.split(" | ")[6] for line in lines[4:8]]
    means = [f"{mean:.1f}" for mean in ranks.mean(axis=0)]
    best = min(means)
    assert [cell.strip("*").split(" ")[0] for cell in shown] == [*means, "–"]
    assert [cell.startswith("**") for cell in shown] == [*(mean == best for mean in means), False]
    assert "those trained with labels left out; 1 is best." in "\n".join(lines)
    assert "- Worst: the lowest score of each seed." in lines
    table = pd.read_csv(tmp_path / "t.csv").set_index(["target", "run"])
    np.testing.assert_allclose(table.loc["mean rank"].loc[RUNS[:3], "mean"], ranks.mean(axis=0))
    assert set(table.loc["mean rank", "metric"]) == {"rank"} and table.loc["mean rank", "n"].tolist() == [4, 4, 4, 0]
    np.testing.assert_allclose(table.loc["worst"].loc[RUNS, "mean"], scores().min(axis=2).mean(axis=0))


def test_a_study_shows_what_it_chose_in_its_order(written: Callable[..., list[str]]) -> None:
    assert written(spec(("rank", "mean")))[2] == "| run | hue | size | light | rank | mean |"
    assert written(spec(()))[2] == "| run | hue | size | light |"


def test_without_labels_the_note_of_ranks_names_no_run_left_out(written: Callable[..., list[str]]) -> None:
    rows = [row(run) | {"with_labels": False} for run in RUNS]
    text = "\n".join(written(spec(("rank",), rows=rows)))
    assert "- Rank: mean over tasks of the rank among the runs of this table within each seed; 1 is best." in text
    assert "Worst:" not in text and "Corrected:" not in text


def test_without_chance_nothing_is_corrected(written: Callable[..., list[str]]) -> None:
    lines = written(spec(), with_chance=False)
    assert lines[2] == "| run | hue | size | light | mean | worst | rank |"
    assert "orrected" not in "\n".join(lines)


@pytest.mark.parametrize(("columns", "averaged"), [(1, True), (3, False)])
def test_a_chosen_summary_of_nothing_is_named(
    columns: int, averaged: bool, written: Callable[..., list[str]], tmp_path: Path
) -> None:
    with pytest.raises(MastError, match=r"^studies\.linear\.summary: .*; leave it out$"):
        written(spec(("rank",), averaged=averaged), columns=columns)
    assert not (tmp_path / "t.md").exists()
    assert "mean" not in written(spec(DEFAULT_SUMMARY, averaged=averaged), columns=columns)[2]


def test_figures_of_accuracies_leave_ranks_out(written: Callable[..., list[str]], tmp_path: Path) -> None:
    written(spec())
    assert set(first_metrics(pd.read_csv(tmp_path / "t.csv"))["target"]) == {
        *("hue", "size", "light"),
        *("mean", "worst", "corrected mean", "corrected worst"),
    }


def experiment(protocol: str = "linear", task: str = "shapes", **study: object) -> Experiment:
    values = {
        "name": "test",
        "datasets": {
            "shapes": {"kind": "shapes", "train": 60, "test": 20, "size": 16},
            "digits": {"kind": "digits"},
            "scenes": {"kind": "shapes-scenes"},
        },
        "pretrain": {"dataset": "shapes", "batch_size": 8},
        "runs": {"vicreg": {}, "mast": {"method": "mast"}},
        "protocols": {"linear": {"kind": "linear-lbfgs"}, "detection": {"kind": "detection"}},
    }
    own = {"title": "T", "protocol": protocol, "tasks": [task], "runs": ["vicreg", "mast"]} | study
    return parse(Experiment, values | {"studies": {"t": own}}, "config.yaml")


def test_the_table_of_differences_shows_all_of_them_and_does_not_follow_the_key() -> None:
    compare = {"baseline": "vicreg", "runs": ["mast"]}
    chosen = experiment(summary=["rank"], compare=compare)
    assert chosen.table_spec("t").summary == ("rank",)
    assert experiment(compare=compare).table_spec("t").summary == DEFAULT_SUMMARY
    assert chosen.comparison_spec("t") == experiment(compare=compare).comparison_spec("t")


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"summary": ["mena"]}, r"studies\.t\.summary\.0: .*got 'mena'.*did you mean 'mean'"),
        ({"summary": ["mean", "mean"]}, r"studies\.t\.summary: 'mean' is listed twice"),
        ({"summary": "mean"}, r"studies\.t\.summary: Input should be a list"),
        (
            {"protocol": "detection", "task": "scenes", "summary": ["mean"]},
            r"studies\.t\.summary: what 'detection' measures is not summed up over tasks; leave it out",
        ),
    ],
)
def test_mistakes_are_named(study: dict[str, object], message: str) -> None:
    with pytest.raises(MastError, match=message) as error:
        experiment(**study)
    assert "\n" not in str(error.value)


def test_a_study_of_one_target_is_refused_before_anything_runs() -> None:
    with pytest.raises(
        MastError, match=r"studies\.t\.summary: 'digits' has one target, 'digit', and nothing to sum up"
    ):
        check_experiment(experiment(task="digits", summary=["mean"]))
    for fine in ({"task": "digits"}, {"summary": ["mean"]}, {"tasks": ["digits", "shapes"], "summary": ["mean"]}):
        check_experiment(experiment(**fine))
