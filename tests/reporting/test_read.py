"""Text of a CSV file stays unchanged and numbers become numbers in everything drawn from such files."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mast.columns import ANALYSIS_COLUMNS
from mast.errors import MastError
from mast.reporting import style
from mast.reporting.figures import load
from mast.reporting.read import ANALYSIS_TEXT, NUMERIC, read_table
from mast.reporting.tables.lines import ComparisonLine, TableLine

ODD = [
    "None",
    "NA",
    "null",
    "nan",
    "NaN",
    "N/A",
    "",
    "1e5",
    "007",
    "True",
    "no",
    "inf",
    " a ",
    "a,b",
    '"a"',
    "_a",
    "$a$",
]


def filled(fields: tuple[str, ...], number: object, **more: object) -> dict[str, object]:
    """A line of a table in which every number is the same."""
    return {field: number if field in NUMERIC else "x" for field in fields} | more


def written(folder: Path, *lines: dict[str, object]) -> Path:
    """Write files as the tables are written (mast/reporting/tables/study.py)."""
    (folder / "t.csv").write_text(pd.DataFrame(lines).to_csv(index=False, lineterminator="\n"), encoding="utf-8")
    return folder / "t.csv"


@pytest.mark.parametrize("text", ODD)
def test_text_stays_as_it_is(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, filled(TableLine._fields, 50.0, label=text, published=None, run=text, sets=text))
    table = read_table(path, TableLine._fields)
    assert table[["label", "run", "sets"]].to_numpy().tolist() == [[text] * 3]
    assert (table["mean"].item(), bool(np.isnan(table["published"].item()))) == (50.0, True)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    label=st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    mean=st.floats(allow_nan=False, allow_infinity=False),
    n=st.integers(0, 10**6),
)
def test_what_is_written_is_read(label: str, mean: float, n: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    line = filled(TableLine._fields, mean, label=label, n=n)
    table = read_table(written(tmp_path_factory.getbasetemp(), line), TableLine._fields)
    assert (table["label"].item(), table["mean"].item(), table["n"].item()) == (label, mean, n)
    assert table["n"].dtype == np.int64


def test_every_column_holds_text_or_numbers() -> None:
    columns = {*TableLine._fields, *ComparisonLine._fields, *itertools.chain(*ANALYSIS_COLUMNS.values())}
    texts = {"table", "protocol", "kind", "task", "target", "metric", "run", "label", "method", "encoder", "dataset"}
    texts |= {"seeds", "source", "note", "baseline", "baseline_label", *ANALYSIS_TEXT}
    assert columns - NUMERIC == texts


def test_a_number_that_is_none_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, *(filled(TableLine._fields, number) for number in (1.5, "many")))
    with pytest.raises(MastError, match=r"t\.csv: 'many' in column '\w+' is not a number; delete it"):
        read_table(path, TableLine._fields)


@pytest.fixture
def legends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the legends of all figures that are saved, drawn, in their order."""
    texts: list[str] = []
    save = style.save_figure

    def look(figure: Figure, output_stem: Path) -> None:
        save(figure, output_stem)
        texts.extend(text.get_text() for legend in figure.legends for text in legend.get_texts())

    monkeypatch.setattr(style, "save_figure", look)
    return texts


@pytest.mark.parametrize("figure", ["length", "motivation", "differences", "difficulty", "losses"])
def test_a_legend_shows_every_label_as_it_is_written(figure: str, tmp_path: Path, legends: list[str]) -> None:
    labels = [text for text in ODD if text]
    shapes = {"task": "shapes", "target": "hue", "metric": "top1"}
    if figure == "losses":
        (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 1, "loss": 2.0}) + "\n")
        files = {label: [tmp_path / "metrics.jsonl"] for label in labels}
    elif figure == "difficulty":
        row = filled(ANALYSIS_COLUMNS["difficulty"], 0.2, against="error", name="NA")
        files = {label: [written(tmp_path, row)] for label in labels}
    elif figure == "differences":
        rows = [filled(ComparisonLine._fields, 1.0, label=label, **shapes) for label in labels]
        studies = [tmp_path / str(start) for start in range(0, len(rows), 4)]  # of four runs each: more have no legend
        for place, folder in enumerate(studies):
            folder.mkdir()
            written(folder, *rows[4 * place :][:4])
        files = {folder.name: list(folder.iterdir()) for folder in studies}
    else:
        sets = {"policy.augmentations": "none", "epochs": "5"}
        rows = [filled(TableLine._fields, 1.0, label=label, **shapes, **sets) for label in labels]
        files = {"t": [written(tmp_path, *rows)]}
    load(figure)(files, tmp_path / figure)
    assert legends[: len(labels)] == [" _a" if label == "_a" else label for label in labels]
