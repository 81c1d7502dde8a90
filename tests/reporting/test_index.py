"""The first page starts with the main table and a figure, contains all others, and needs no other file to show them."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mast.config.index import IndexFigure, IndexPart, IndexSpec, index_spec
from mast.config.load import load_experiment
from mast.errors import MastError
from mast.reporting.index import write_index
from mast.reporting.tables.formats import html_page
from mast.reporting.tables.layout import Cell, Layout, Row

TITLE = "</style><b>\"'& 1"
DOT = b"\x89PNG\r\n\x1a\nnot looked into"


class Tags(HTMLParser):
    """Every tag in order with its attributes; asserts that they are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.found = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def spec(tmp_path: Path) -> IndexSpec:
    (tmp_path / "tables").mkdir()
    (tmp_path / "figures").mkdir()
    for name in ("linear", "linear_comparison", "knn.1"):
        layout = Layout(name, TITLE, "", (("", 2),), ("run", "hue"), 1, (Row((Cell("a"), Cell("1.0"))),))
        (tmp_path / f"tables/{name}.html").write_text(html_page(layout), encoding="utf-8")
        for suffix in (".csv", ".md", ".tex"):
            (tmp_path / f"tables/{name}{suffix}").touch()
    (tmp_path / "figures/losses.png").write_bytes(DOT)
    for file in ("figures/losses.svg", "report.html", "config.json"):
        (tmp_path / file).touch()
    figure = IndexFigure(name="losses", file=f"{tmp_path}/figures/losses.png", caption=TITLE)
    tables = [f"{tmp_path}/tables/{name}.html" for name in ("linear", "linear_comparison", "knn.1")]
    parts = (
        IndexPart(title=TITLE, tables=tables[:2], figures=(figure,), note=TITLE),
        IndexPart(title="Neighbours", tables=tables[2:]),
    )
    return IndexSpec(title="mine", parts=parts)


def test_main_table_and_figure_come_first_and_links_lead_to_files(spec: IndexSpec, tmp_path: Path) -> None:
    write_index(spec, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    tags = Tags(text).found
    shown = [
        attributes.get("aria-labelledby", attributes.get("alt")) for tag, attributes in tags if tag in ("table", "img")
    ]
    assert shown == ["linear", "losses", "linear_comparison", "knn.1"]
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
    names = {attributes["id"] for _, attributes in tags if "id" in attributes}
    assert {link for link in links if not link.startswith("#") and not (tmp_path / link).is_file()} == set()
    assert {link[1:] for link in links if link.startswith("#")} == {"part-0", "part-1"} <= names
    assert "<b>" not in text and "<script" not in text
    assert not re.search(r'(?:src|href)="(?!data:|#|figures/|tables/|report\.html|config\.json)', text)
    write_index(spec, tmp_path / "index.html")
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == text


def test_the_page_of_a_small_screen_and_of_a_dark_one_are_the_same_file(spec: IndexSpec, tmp_path: Path) -> None:
    write_index(spec, tmp_path / "index.html")
    for page in (tmp_path / "index.html", tmp_path / "tables/linear.html"):
        text = page.read_text(encoding="utf-8")
        assert "width=device-width" in text and "prefers-color-scheme: dark" in text


def test_what_is_missing_is_named(spec: IndexSpec, tmp_path: Path) -> None:
    (tmp_path / "figures/losses.png").unlink()
    with pytest.raises(MastError, match=r"losses\.png: cannot be read .*; make it first$"):
        write_index(spec, tmp_path / "index.html")
    assert not (tmp_path / "index.html").exists()


def test_figures_stand_with_what_they_show(experiment_of: Callable) -> None:
    study = {"title": "Linear", "protocol": "linear", "tasks": ["shapes"], "runs": ["vicreg", "mast"]}
    compared = study | {"compare": {"baseline": "vicreg", "runs": ["mast"]}}
    figures = {"losses": ["mast"], "masks": ["mast"], "differences": ["second"]}
    found = index_spec(experiment_of({"first": study, "second": compared}, figures))
    assert [(part.title, len(part.tables)) for part in found.parts] == [("Linear", 1), ("Linear", 2), ("Trainings", 1)]
    names = [[figure.name for figure in part.figures] for part in found.parts]
    assert names[0] == ["losses"] and names[1] == ["differences"]
    assert "masks" in names[2] and "losses" not in names[2]


def test_without_studies_the_trainings_are_shown(experiment_of: Callable) -> None:
    (part,) = index_spec(experiment_of({}, {})).parts
    assert part.tables == ("results/health.html",)
    assert [figure.name for figure in part.figures] == ["losses"]


def test_detections_stand_with_their_study() -> None:
    parts = {part.title: part for part in index_spec(load_experiment(Path("config/config.yaml"))).parts}
    assert [figure.name for figure in parts["Detection and instance segmentation"].figures] == ["detections"]
    assert next(iter(parts.values())).figures[0].name == "losses"
