"""A study's table has the same content in every format, equal to golden files, and refuses metrics of other tables."""

import csv
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mast.config.tables import TableSpec
from mast.errors import MastError
from mast.protocols.detection import DetectionProtocol
from mast.reporting.statistics import Estimate
from mast.reporting.tables.formats import latex_text
from mast.reporting.tables.layout import setting_titles, shown
from mast.reporting.tables.study import write_table

PUBLISHED = """
values:
  - {kind: linear, task: shapes, target: hue, metric: top1, method: vicreg, encoder: resnet18, dataset: shapes,
     value: 73.25, source: "A & B, Table 1", note: by SGD}
  - {kind: linear, task: shapes, target: hue, metric: top1, method: mast, encoder: resnet18, dataset: shapes,
     value: null}
"""

GOLDEN = """\
**Linear evaluation.** On frozen features.

| run | masks | hue | size | digits | mean |
| :-- | :-- | --: | --: | --: | --: |
| random init | – | 10.0 ± 0.0 | 20.0 ± 0.0 | 30.0 ± 0.0 | 20.0 ± 0.0 |
| VICReg | – | 71.0 ± 12.7 | **50.0 ± 0.0** | 90.0 ± 0.0 | 70.3 ± 4.2 |
| published |  | 73.25 (−2.2) |  |  |  |
| MAST | topk | **80.0 ± 0.0** | 40.0 ± 0.0 | **95.0 ± 0.0** | **71.7 ± 0.0** |
| published |  | n/a |  |  |  |

- Top-1 accuracy, percent: mean ± half width of the 95 % interval over seeds (Student t), n = 2 seeds.
- Best per column in bold.
- Published values, in brackets ours minus published: 73.25: A & B, Table 1 (by SGD).
- n/a: the published value is not available here.
"""

VALUES = {
    "untrained": {"hue": (10, 10), "size": (20, 20), "digit": (30, 30)},
    "vicreg": {"hue": (70, 72), "size": (50, 50), "digit": (90, 90)},
    "mast": {"hue": (80, 80), "size": (40, 40), "digit": (95, 95)},
}


def _row(run: str, label: str, method: str | None = None, **settings: object) -> dict[str, object]:
    return {
        "run": run,
        "label": label,
        "method": method or run,
        "with_labels": run == "supervised",
        "encoder": "resnet18",
        "dataset": "shapes",
        "settings": settings,
    }


def _spec(**changed: object) -> TableSpec:
    rows = [
        _row("untrained", "random init", **{"mast.masks.kind": "–"}),
        _row("vicreg", "VICReg", **{"mast.masks.kind": "–"}),
        _row("mast", "MAST", **{"mast.masks.kind": "topk"}),
    ]
    values = {
        "name": "linear",
        "title": "Linear evaluation",
        "caption": "On frozen features.",
        "protocol": "linear",
        "kind": "linear-lbfgs",
        "tasks": ["shapes", "digits"],
        "rows": rows,
    }
    return TableSpec(**(values | changed))


@pytest.fixture
def linear_files(metrics_file: Callable[..., Path]) -> list[Path]:
    return [
        metrics_file(run, seed, task, {target: {"top1": values[target][seed]} for target in targets})
        for run, values in VALUES.items()
        for seed in (0, 1)
        for task, targets in (("shapes", ("hue", "size")), ("digits", ("digit",)))
    ]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.yaml"
    path.write_text(PUBLISHED)
    return path


@pytest.fixture
def written(tmp_path: Path, linear_files: list[Path], published: Path) -> Path:
    write_table(_spec(), linear_files, published, tmp_path / "linear")
    return tmp_path / "linear"


def test_markdown_is_golden(written: Path) -> None:
    assert written.with_suffix(".md").read_text() == GOLDEN


def test_csv_has_full_precision(written: Path) -> None:
    table = pd.read_csv(written.with_suffix(".csv")).set_index(["run", "target"])
    hue = table.loc["vicreg", "hue"]
    assert hue["mean"] == 71.0
    assert hue["interval"] == pytest.approx(12.706204736174694, rel=1e-10)  # scipy before 1.17 is off by 2e-11
    assert (hue["n"], hue["seeds"], hue["published"], hue["difference"]) == (2, "0 1", 73.25, -2.25)
    assert hue["source"] == "A & B, Table 1"
    assert hue["mast.masks.kind"] == "–"
    assert table.loc["mast", "hue"][["published", "difference", "source"]].isna().all()
    assert table.loc["vicreg", "mean"]["mean"] == pytest.approx((71 + 50 + 90) / 3)
    assert len(table) == 3 * 4


@pytest.mark.parametrize(
    ("metrics", "name"),
    [
        ({}, "top1"),
        ({"digits": "mean_per_class"}, "mixed"),
        ({"shapes": "mean_per_class", "digits": "mean_per_class"}, "mean_per_class"),
    ],
)
def test_mean_is_named_by_the_metric_averaged(
    metrics: dict[str, str], name: str, tmp_path: Path, metrics_file: Callable[..., Path], published: Path
) -> None:
    values = {"top1": 50.0, "mean_per_class": 40.0}
    files = [metrics_file(task=task, metrics={task: values}) for task in ("shapes", "digits")]
    write_table(_spec(rows=[_row("vicreg", "V")], metrics=metrics), files, published, tmp_path / "t")
    mean = pd.read_csv(tmp_path / "t.csv").set_index("task").loc["all"]
    assert mean["metric"] == name
    assert mean["mean"] == 50 - 5 * len(metrics)


def test_with_chance_the_mean_stands_there_corrected_too(
    tmp_path: Path, metrics_file: Callable[..., Path], published: Path
) -> None:
    chance = {"hue": {"top1": 10.0}, "size": {"top1": 50.0}, "digit": {"top1": 20.0}}
    files = [
        metrics_file(
            "mast", seed, task, {target: {"top1": value + seed} for target, value in own.items()}, chance=chance
        )
        for seed in (0, 1)
        for task, own in (("shapes", {"hue": 55.0, "size": 75.0}), ("digits", {"digit": 60.0}))
    ]
    write_table(_spec(rows=[_row("mast", "MAST")]), files, published, tmp_path / "t")
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert "| run | hue | size | digits | mean | corrected mean |" in lines
    corrected = [np.mean([(h - 10) / 0.9, (s - 50) / 0.5, (d - 20) / 0.8]) for h, s, d in ((55, 75, 60), (56, 76, 61))]
    table = pd.read_csv(tmp_path / "t.csv").set_index("target").loc["corrected mean"]
    assert (table["mean"], table["n"]) == (pytest.approx(np.mean(corrected)), 2)
    assert any(line.startswith("- Corrected: for chance. 0 is what is reached without a look") for line in lines)


def test_latex_is_balanced_and_escaped(written: Path) -> None:
    text = written.with_suffix(".tex").read_text()
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    columns = len(re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1])
    for line in body.splitlines():
        if line.endswith(r"\\"):
            spans = [int(span) for span in re.findall(r"\\multicolumn\{(\d+)\}", line)]
            assert sum(spans) + len(re.split(r"(?<!\\)&", line[:-2])) - len(spans) == columns
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert r"A \& B, Table 1" in text
    assert r"71.0 $\pm$ 12.7" in text
    assert r"73.25 ($-$2.2)" in text
    assert r"\textbf{80.0 $\pm$ 0.0}" in text
    assert r"\multicolumn{2}{c}{shapes}" in text
    assert r"\cmidrule(lr){3-4}" in text
    assert text.isascii()


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50 % & #1_a ${x}$", r"50 \% \& \#1\_a \$\{x\}\$"),
        ("a\\b~c^d", r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d"),
        ("1 ± 2 – 3 − 4", r"1 $\pm$ 2 -- 3 $-$ 4"),
        ("<a|b>", r"\textless{}a\textbar{}b\textgreater{}"),
    ],
)
def test_latex_escaping(text: str, escaped: str) -> None:
    assert latex_text(text) == escaped


class _Cells(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.lines, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.lines.append(0)
        if tag in ("td", "th"):
            self.lines[-1] += int(dict(attributes).get("colspan", 1))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_balanced_and_stands_alone(written: Path) -> None:
    text = written.with_suffix(".html").read_text()
    parsed = _Cells(text)
    assert not parsed.open
    assert parsed.lines == [6] * 7
    assert "<strong>80.0 ± 0.0</strong>" in text
    assert "n/a" in text
    assert "http" not in text
    assert "<script" not in text


def test_labels_are_escaped_in_every_format(tmp_path: Path, metrics_file: Callable[..., Path], published: Path) -> None:
    spec = _spec(tasks=["shapes"], caption="", rows=[_row("vicreg", "<b>|a_b|</b> & 5 %")])
    write_table(spec, [metrics_file()], published, tmp_path / "t")
    assert r"| \<b\>\|a\_b\|\</b\> & 5 % |" in (tmp_path / "t.md").read_text()
    assert "&lt;b&gt;|a_b|&lt;/b&gt; &amp; 5 %" in (tmp_path / "t.html").read_text()
    assert r"\textless{}b\textgreater{}\textbar{}a\_b" in (tmp_path / "t.tex").read_text()
    with (tmp_path / "t.csv").open() as file:
        assert next(csv.DictReader(file))["label"] == "<b>|a_b|</b> & 5 %"


def test_a_setting_that_has_a_column_already_may_be_shown(
    tmp_path: Path, metrics_file: Callable[..., Path], published: Path
) -> None:
    row = _row("vicreg", "V") | {"settings": {"method": "vicreg", "optimizer.lr": "0.1"}}
    write_table(_spec(tasks=["shapes"], rows=[row]), [metrics_file()], published, tmp_path / "t")
    with (tmp_path / "t.csv").open() as file:
        line = next(csv.DictReader(file))
    assert (line["method"], line["optimizer.lr"]) == ("vicreg", "0.1")


@pytest.mark.parametrize(("mean", "n", "text"), [(-8.04, 3, "−8.0 ± 1.2"), (71.4, 3, "71.4 ± 1.2"), (-0.3, 1, "−0.3")])
def test_a_mean_below_zero_has_a_minus_sign(mean: float, n: int, text: str) -> None:
    assert shown(Estimate(mean, 1.2, n)) == text
    assert latex_text(text) == text.replace("−", "$-$").replace("±", r"$\pm$")


def test_one_seed_has_no_interval(tmp_path: Path, metrics_file: Callable[..., Path], published: Path) -> None:
    write_table(_spec(tasks=["shapes"], rows=[_row("vicreg", "V")]), [metrics_file()], published, tmp_path / "t")
    text = (tmp_path / "t.md").read_text()
    assert "| V | 50.0 |" in text
    assert "n = 1 seed, so no interval." in text
    assert "mean" not in text.splitlines()[2]


def test_missing_seeds_show_in_n(tmp_path: Path, linear_files: list[Path], published: Path) -> None:
    incomplete = [path for path in linear_files if not path.match("digits/mast/seed1.json")]
    incomplete = [path for path in incomplete if "untrained" not in str(path)]
    write_table(_spec(), incomplete, published, tmp_path / "t")
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert lines[2].endswith("| mean | n |")
    assert lines[4] == "| random init | – | – | – | – | – | 0 |"
    assert lines[5].endswith("| 2 |")
    assert lines[7] == "| MAST | topk | **80.0 ± 0.0** | 40.0 ± 0.0 | **95.0** | **71.7** | 1–2 |"


def test_supervised_is_not_compared_with(tmp_path: Path, metrics_file: Callable[..., Path], published: Path) -> None:
    files = [
        metrics_file(run, metrics={"hue": {"top1": value}})
        for run, value in (("supervised", 99.0), ("vicreg", 60.0), ("mast", 59.96))
    ]
    rows = [_row("supervised", "S"), _row("vicreg", "V"), _row("mast", "M")]
    write_table(_spec(tasks=["shapes"], rows=rows), files, published, tmp_path / "t")
    text = (tmp_path / "t.md").read_text()
    assert "| S | 99.0 |" in text
    assert "| V | **60.0** |" in text
    assert "| M | **60.0** |" in text  # prints the same
    assert "runs trained with labels left out" in text


def _detection_spec(protocol: str, kind: str, **settings: object) -> TableSpec:
    facts = DetectionProtocol(kind="detection", **settings).table_facts()
    return _spec(name="detection", tasks=["scenes"], rows=[_row("vicreg", "V")], protocol=protocol, kind=kind, **facts)


def test_detection_columns(tmp_path: Path, metrics_file: Callable[..., Path], published: Path) -> None:
    metrics = {"box": {"AP": 30.0, "AP50": 55.5, "AP75": 28.0, "APs": None, "APm": 1.0, "APl": 2.0}}
    kind = {"protocol": "detection", "kind": "detection"}
    files = [metrics_file(task="scenes", metrics=metrics, seed=seed, **kind) for seed in (0, 1)]
    spec = _detection_spec(**kind)
    write_table(spec, files, published, tmp_path / "t")
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert lines[2] == "| run | AP | AP50 | AP75 |"
    assert lines[4] == "| V | 30.0 ± 0.0 | 55.5 ± 0.0 | 28.0 ± 0.0 |"
    assert "deviation from the R50-C4 protocol" in "\n".join(lines)
    table = pd.read_csv(tmp_path / "t.csv").set_index("metric")
    assert table.loc["APs", "n"] == 0
    assert table.loc["APm", "mean"] == 1.0


def test_boxes_and_masks_beside_each_other(tmp_path: Path, metrics_file: Callable[..., Path], published: Path) -> None:
    metrics = {"box": {"AP": 30.0, "AP50": 55.5}, "mask": {"AP": 25.0, "AP50": 50.5}}
    kind = {"protocol": "frozen", "kind": "detection"}
    spec = _detection_spec(backbone="frozen", masks=True, **kind)
    write_table(spec, [metrics_file(task="scenes", metrics=metrics, **kind)], published, tmp_path / "t")
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert lines[2] == "| run | box AP | box AP50 | mask AP | mask AP50 |"
    assert lines[4] == "| V | 30.0 | 55.5 | 25.0 | 50.5 |"
    assert "Mask R-CNN with FPN, on a frozen encoder: a deviation from the R50-C4 protocol" in "\n".join(lines)


def test_refuses_files_of_other_tables(tmp_path: Path, metrics_file: Callable[..., Path], published: Path) -> None:
    spec = _spec(tasks=["shapes"], rows=[_row("vicreg", "V")])
    for other in ({"run": "mast"}, {"task": "digits"}, {"protocol": "knn"}):
        path = metrics_file(**other)
        with pytest.raises(MastError, match="is not in table 'linear'") as error:
            write_table(spec, [metrics_file(seed=len(str(other))), path], published, tmp_path / "t")
        assert str(path) in str(error.value)
    assert not list(tmp_path.glob("t.*"))


def test_refuses_a_task_without_metrics(tmp_path: Path, metrics_file: Callable[..., Path], published: Path) -> None:
    with pytest.raises(MastError, match="no metrics file of task 'digits'"):
        write_table(_spec(), [metrics_file()], published, tmp_path / "t")


def test_setting_titles_are_short_and_distinct() -> None:
    assert setting_titles(("policy.augmentations",)) == ["augmentations"]
    assert setting_titles(("mast.masks.kind", "mast.uncertainty.kind")) == ["masks", "uncertainty"]
    assert setting_titles(("mast.masks.covariance", "objective.covariance")) == [
        "masks covariance",
        "objective covariance",
    ]
    assert setting_titles(("epochs", "batch_size")) == ["epochs", "batch size"]


def test_reporting_imports_no_torch_and_tables_no_matplotlib() -> None:
    code = """
import sys
import mast.reporting.tables.study
assert "matplotlib" not in sys.modules
import mast.reporting.figures
heavy = {"torch", "timm", "torchvision"} & set(sys.modules)
own = {name.split(".")[1] for name in sys.modules if name.startswith("mast.")}
assert not heavy, heavy
assert not own & {"analysis", "evaluation", "learner", "pretraining", "training"}, own
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_written_files(written: Path) -> None:
    assert sorted(path.suffix for path in written.parent.glob("linear.*")) == [".csv", ".html", ".json", ".md", ".tex"]


def test_results_of_two_versions_of_the_code_are_marked_in_every_format(
    tmp_path: Path, metrics_file: Callable[..., Path], published: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = """
import sys
from pathlib import Path
from mast.cli import main
main(["table", "--spec", sys.argv[1], "--published", sys.argv[2], "--output", sys.argv[3], *sys.argv[4:]])
assert "torch" not in sys.modules
"""
    files = [metrics_file(seed=seed, commits=[str(seed) * 40]) for seed in (0, 1)]
    spec = _spec(tasks=["shapes"], rows=[_row("vicreg", "V")]).model_dump_json()
    paths = [str(published), str(tmp_path / "t"), *map(str, files)]
    subprocess.run([sys.executable, "-c", code, spec, *paths], check=True)
    note = "Results of 2 versions of the code: 000000000000, 111111111111."
    assert capfd.readouterr().err.splitlines() == [note]
    for suffix in ("md", "tex", "html"):
        assert note in (tmp_path / f"t.{suffix}").read_text()


def test_settings_that_every_table_has_stand_in_its_csv_once(
    tmp_path: Path, metrics_file: Callable[..., Path], published: Path
) -> None:
    rows = [_row("vicreg", "V") | {"settings": {"method": "vicreg", "dataset": "shapes", "epochs": "3"}}]
    write_table(_spec(tasks=["shapes"], rows=rows), [metrics_file()], published, tmp_path / "t")
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["method"].eq("vicreg").all() and table["dataset"].eq("shapes").all() and table["epochs"].eq(3).all()
