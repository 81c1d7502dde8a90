"""Runs are compared by paired seeds, with Student's interval and the interval of all bootstrap samples."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mast.config.experiment import Experiment
from mast.config.tables import ComparisonSpec
from mast.errors import MastError
from mast.reporting.paired import bootstrap_interval, holm, p_value, paired_difference
from mast.reporting.tables.comparison import adjusted, all_scores, lowest_note, shown_p, write_comparison
from mast.settings import parse

GOLDEN = """\
**Linear: differences to VICReg.**

| task | VICReg | MAST | MAST − VICReg | bootstrap | p (Holm) |
| :-- | --: | --: | --: | --: | --: |
| hue | 40.0 ± 0.0 | 50.0 ± 2.5 | **+10.0 \\[+7.5, +12.5\\]** | \\[+9.0, +11.0\\] | 0.003 |
| size | 70.0 ± 0.0 | 68.0 ± 0.0 | −2.0 \\[−2.0, −2.0\\] | \\[−2.0, −2.0\\] | – |
| mean over tasks | 55.0 ± 0.0 | 59.0 ± 1.2 | **+4.0 \\[+2.8, +5.2\\]** | \\[+3.5, +4.5\\] | 0.007 |
| worst task | 40.0 ± 0.0 | 50.0 ± 2.5 | **+10.0 \\[+7.5, +12.5\\]** | \\[+9.0, +11.0\\] | 0.007 |
| mean rank | 1.5 ± 0.0 | 1.5 ± 0.0 | +0.0 \\[+0.0, +0.0\\] | \\[+0.0, +0.0\\] | – |
"""


def row(run: str, label: str) -> dict[str, str]:
    return {"run": run, "label": label, "method": run, "encoder": "resnet18", "dataset": "shapes"}


SPEC = ComparisonSpec(
    name="linear",
    title="Linear",
    protocol="linear",
    kind="linear-lbfgs",
    tasks=("shapes",),
    rows=[row("vicreg", "VICReg"), row("mast", "MAST")],
)


@pytest.fixture
def files(metrics_file: Callable[..., Path]) -> Callable[..., list[Path]]:
    """MAST is better at hue by 9, 10 and 11 and worse at size by 2, over the given number of seeds."""

    def write(seeds: int, extra_mast_seed: bool = False) -> list[Path]:
        written = []
        for seed in range(seeds + extra_mast_seed):
            values = {"mast": (49.0 + seed, 68.0)} | ({"vicreg": (40.0, 70.0)} if seed < seeds else {})
            for run, (hue, size) in values.items():
                metrics = {"hue": {"top1": hue, "top5": 99.0}, "size": {"top1": size}}
                written.append(metrics_file(run, seed, metrics=metrics))
        return written

    return write


def test_markdown_is_golden(files: Callable[..., list[Path]], tmp_path: Path) -> None:
    write_comparison(SPEC, files(3), tmp_path / "linear_comparison")
    text = (tmp_path / "linear_comparison.md").read_text()
    assert text.startswith(GOLDEN)
    assert "n = 3" in text
    assert {path.suffix for path in tmp_path.glob("linear_comparison.*")} == {".csv", ".md", ".tex", ".html", ".json"}


def test_one_seed_gives_a_difference_and_no_interval(files: Callable[..., list[Path]], tmp_path: Path) -> None:
    write_comparison(SPEC, files(1), tmp_path / "c")
    text = (tmp_path / "c.md").read_text()
    assert "| +9.0 |" in text
    assert "No interval of a difference with one seed" in text
    table = pd.read_csv(tmp_path / "c.csv")
    assert table[["low", "high", "bootstrap_low", "bootstrap_high"]].isna().all(axis=None)
    assert "ootstrap" not in text
    assert table["n"].tolist() == [1] * 5


def test_only_seeds_of_both_runs_are_paired(files: Callable[..., list[Path]], tmp_path: Path) -> None:
    write_comparison(SPEC, files(2, extra_mast_seed=True), tmp_path / "c")
    hue = pd.read_csv(tmp_path / "c.csv").iloc[0]
    assert (hue["difference"], hue["seeds"], hue["run_mean"]) == (9.5, "0 1", 50.0)


def test_scores_over_tasks_by_hand() -> None:
    chance, constant = {"hue": 10.0, "size": 50.0}, {"task": "shapes", "metric": "top1"}
    values = {("vicreg", 0): (10, 90), ("mast", 0): (30, 80), ("vicreg", 1): (20, 60), ("mast", 1): (20, 70)}
    records = [
        {"target": target, "run": run, "seed": seed, "value": float(value), "chance": chance[target]} | constant
        for (run, seed), pair in values.items()
        for target, value in zip(("hue", "size"), pair, strict=True)
    ]
    mean, worst, rank, *above = list(all_scores(pd.DataFrame(records), SPEC).values())[2:]
    assert mean.to_numpy().tolist() == [[50, 55], [40, 45]]
    assert worst.to_numpy().tolist() == [[10, 30], [20, 20]]
    assert rank.to_numpy().tolist() == [[1.5, 1.5], [1.75, 1.25]]  # seed 1: a tie on hue, mast better on size
    # hue has chance 10: 0, 22.2, 11.1, 11.1; size 50: 80, 60, 20, 40
    assert above[0].to_numpy() == pytest.approx(np.array([[40, 370 / 9], [140 / 9, 230 / 9]]))
    assert above[1].to_numpy() == pytest.approx(np.array([[0, 200 / 9], [100 / 9, 100 / 9]]))
    note = lowest_note(pd.DataFrame(records), SPEC)
    assert note == ["Lowest mean of a task, corrected for chance: VICReg hue, MAST hue."]


def test_without_chance_nothing_is_corrected(files: Callable[..., list[Path]], tmp_path: Path) -> None:
    write_comparison(SPEC, files(2), tmp_path / "c")
    assert "orrected" not in (tmp_path / "c.md").read_text()


def test_chance_of_all_tasks_adds_lines_and_says_which_task_is_worst(
    metrics_file: Callable[..., Path], tmp_path: Path
) -> None:
    chance = {"hue": {"top1": 12.5}, "size": {"top1": 50.0}}
    written = [
        metrics_file(run, seed, metrics={"hue": {"top1": hue + seed}, "size": {"top1": 60.0}}, chance=chance)
        for run, hue in (("vicreg", 30.0), ("mast", 47.5))
        for seed in (0, 1)
    ]
    write_comparison(SPEC, written, tmp_path / "c")
    text = (tmp_path / "c.md").read_text()
    assert "| mean, corrected | 20.3 ± 3.6 | 30.3 ± 3.6 | +10.0" in text
    assert "| worst task, corrected | 20.0 ± 0.0 | 20.0 ± 0.0 |" in text or "worst task, corrected | 20" in text
    assert "Lowest mean of a task, corrected for chance: VICReg size, MAST size." in text


def test_summaries_are_named_by_their_metric(files: Callable[..., list[Path]], tmp_path: Path) -> None:
    write_comparison(SPEC, files(1), tmp_path / "c")
    assert pd.read_csv(tmp_path / "c.csv")["metric"].tolist() == ["top1"] * 4 + ["rank"]


def test_boxes_and_masks_are_not_summed_up(metrics_file: Callable[..., Path], tmp_path: Path) -> None:
    kind = {"protocol": "detection", "kind": "detection"}
    metrics = {"box": {"AP": 30.0, "AP50": 50.0}, "mask": {"AP": 20.0, "AP50": 40.0}}
    facts = {"tasks": ("scenes",), "shown": ("AP", "AP50"), "averaged": False}
    spec = SPEC.model_copy(update=kind | facts)
    written = [metrics_file(run, task="scenes", metrics=metrics, **kind) for run in ("vicreg", "mast")]
    write_comparison(spec, written, tmp_path / "c")
    table = pd.read_csv(tmp_path / "c.csv")
    assert table[["target", "metric"]].to_numpy().tolist() == [["box", "AP"], ["mask", "AP"]]
    assert "orst task" not in (tmp_path / "c.md").read_text()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_interval_is_that_of_the_paired_t_test(n: int) -> None:
    baseline, values = np.random.default_rng(n).normal(60, 3, (2, n))
    expected = stats.ttest_rel(values, baseline).confidence_interval(0.95)
    found = paired_difference(pd.Series(baseline), pd.Series(values))
    assert found.mean == pytest.approx((values - baseline).mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_several_compared_runs_have_a_line_each(
    files: Callable[..., list[Path]], metrics_file: Callable[..., Path], tmp_path: Path
) -> None:
    spec = SPEC.model_copy(update={"rows": (*SPEC.rows, SPEC.rows[1].model_copy(update={"run": "b", "label": "B"}))})
    written = files(2) + [metrics_file("b", s, metrics={"hue": {"top1": 41.0}, "size": {"top1": 69.0}}) for s in (0, 1)]
    write_comparison(spec, written, tmp_path / "c")
    lines = (tmp_path / "c.md").read_text().splitlines()
    assert "| task | run | VICReg | score | difference | bootstrap | p (Holm) |" in lines
    assert "| hue | B | 40.0 ± 0.0 | 41.0 ± 0.0 | +1.0 \\[+1.0, +1.0\\] | \\[+1.0, +1.0\\] | – |" in lines
    table = pd.read_csv(tmp_path / "c.csv")
    assert table[["target", "baseline_label", "label"]].to_numpy().tolist()[:2] == [
        ["hue", "VICReg", "MAST"],
        ["hue", "VICReg", "B"],
    ]


@pytest.mark.parametrize("values", [(1.0, 2.0), (3.0, -1.0, 4.0), (0.3, 2.1, -0.7, 1.2, 0.9)])
def test_bootstrap_interval_is_that_of_all_resamples(values: tuple[float, ...]) -> None:
    means = [np.mean(drawn) for drawn in itertools.product(values, repeat=len(values))]
    expected = np.percentile(means, [2.5, 97.5], method="inverted_cdf")
    assert bootstrap_interval(np.array(values)) == pytest.approx(tuple(expected), abs=0.05)
    assert bootstrap_interval(np.array(values)) == bootstrap_interval(np.array(values))


def test_bootstrap_of_equal_values_has_no_width_and_of_one_is_none() -> None:
    assert bootstrap_interval(np.full(5, 2.5)) == (2.5, 2.5)
    assert np.isnan(bootstrap_interval(np.array([1.0]))).all()


def test_bootstrap_of_five_normal_values_holds_the_mean_as_often_as_stated() -> None:
    intervals = [bootstrap_interval(values) for values in np.random.default_rng(5).normal(size=(500, 5))]
    assert np.mean([low <= 0 <= high for low, high in intervals]) == pytest.approx(0.84, abs=0.04)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_p_is_that_of_the_paired_t_test(n: int) -> None:
    baseline, values = np.random.default_rng(n).normal(60, 3, (2, n))
    expected = stats.ttest_rel(values, baseline).pvalue
    assert paired_difference(pd.Series(baseline), pd.Series(values)).p == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("values", [[1.0], [], [2.0, 2.0, 2.0], [0.0, 0.0]])
def test_without_a_spread_there_is_no_p(values: list[float]) -> None:
    assert np.isnan(p_value(np.array(values)))


def holm_rejects(values: list[float], level: float) -> set[int]:
    """Step by step, as Holm (1979) says it: the smallest at level/m, the next at level/(m − 1), until one fails."""
    left, rejected = dict(enumerate(values)), set()
    while left and min(left.values()) <= level / len(left):
        smallest = min(left, key=left.__getitem__)
        rejected.add(smallest)
        del left[smallest]
    return rejected


@pytest.mark.parametrize(
    "values", [[0.01, 0.04, 0.03], [0.2], [0.001, 0.001, 0.02, 0.9], [0.5, 0.6], [0.004, 0.03, 0.0001, 0.03, 0.013]]
)
def test_adjusted_values_are_the_levels_at_which_holm_rejects(values: list[float]) -> None:
    found = holm(values)
    for level in np.linspace(0.0005, 0.9995, 1000):
        assert holm_rejects(values, level) == {place for place, p in enumerate(found) if p <= level}, level


def test_holm_leaves_what_is_missing_and_does_not_count_it() -> None:
    assert holm([0.04, float("nan"), 0.01])[::2] == pytest.approx([0.04, 0.02])
    assert np.isnan(holm([0.04, float("nan"), 0.01])[1])
    assert holm([]) == []


def test_tasks_and_what_sums_them_up_are_read_apart() -> None:
    generator = np.random.default_rng(0)

    def drawn(shift: float) -> object:
        return paired_difference(pd.Series(generator.normal(size=5)), pd.Series(generator.normal(shift, 1, 5)))

    columns = [("shapes", "hue", "top1"), ("shapes", "size", "top1"), ("all", "mean", "top1"), ("all", "worst", "top1")]
    differences = {(column, run): drawn(2) for column in columns for run in "ab"}
    found = adjusted(differences)
    for run in "ab":
        for family in (columns[:2], columns[2:]):
            own = [differences[column, run].p for column in family]
            assert [found[column, run] for column in family] == holm(own)


def test_small_p_are_shown_as_such() -> None:
    assert [shown_p(p) for p in (0.0004, 0.0123, 1.0, float("nan"))] == ["<0.001", "0.012", "1.000", "–"]


def test_no_common_seed_is_no_difference() -> None:
    found = paired_difference(pd.Series({0: 1.0}), pd.Series({1: 2.0}))
    assert found.n == 0
    assert np.isnan(found.mean)


CONFIG = {
    "name": "test",
    "datasets": {"shapes": {"kind": "shapes"}},
    "pretrain": {"dataset": "shapes"},
    "runs": {"vicreg": {}, "mast": {"method": "mast", "label": "MAST"}, "other": {}},
    "protocols": {"linear": {"kind": "linear-lbfgs"}},
}


def experiment(compare: dict[str, object]) -> Experiment:
    study = {"title": "Linear", "protocol": "linear", "tasks": ["shapes"], "runs": ["mast", "vicreg"]}
    return parse(Experiment, CONFIG | {"studies": {"linear": study | {"compare": compare}}}, "config.yaml")


def test_baseline_is_the_first_row() -> None:
    spec = experiment({"baseline": "vicreg", "runs": ["mast"]}).comparison_spec("linear")
    assert [row.label for row in spec.rows] == ["vicreg", "MAST"]
    assert ComparisonSpec.model_validate_json(spec.model_dump_json()) == spec


def test_compared_runs_of_one_label_stay_apart() -> None:
    runs = {"runs": CONFIG["runs"] | {"vicreg": {"label": "MAST"}}}
    study = {"title": "L", "protocol": "linear", "tasks": ["shapes"], "runs": ["mast", "vicreg"]}
    study["compare"] = {"baseline": "vicreg", "runs": ["mast"]}
    spec = parse(Experiment, CONFIG | runs | {"studies": {"linear": study}}, "c.yaml").comparison_spec("linear")
    assert [row.label for row in spec.rows] == ["MAST (vicreg)", "MAST (mast)"]


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        ({"baseline": "vicrg", "runs": ["mast"]}, r"compare\.baseline: 'vicrg' is not a run of the study.*'vicreg'"),
        ({"baseline": "vicreg", "runs": ["other"]}, r"studies\.linear\.compare\.runs: 'other' is not a run"),
        ({"baseline": "vicreg", "runs": ["vicreg"]}, r"compare\.runs: the baseline 'vicreg' is compared with itself"),
    ],
)
def test_mistakes_are_named(compare: dict[str, object], message: str) -> None:
    with pytest.raises(MastError, match=message) as error:
        experiment(compare)
    assert "\n" not in str(error.value)
