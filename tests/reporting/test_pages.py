"""Tables replace the text between their marks in a page, and nothing else changes."""

from pathlib import Path

import pytest
from support import ROOT

from mast.cli.program import main
from mast.errors import MastError
from mast.reporting.pages import fill_page

README = ROOT / "README.md"
PAGE = """\
Before.

<!-- table: linear -->
what stood there
<!-- end -->

Between.
<!-- table: knn_comparison -->
<!-- end -->
After, without a last newline."""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    for name in ("linear", "knn_comparison"):
        (tmp_path / f"tables/{name}.md").write_text(f"**{name}**\n\n| a |\n")
    (tmp_path / "page.md").write_text(PAGE)
    return tmp_path / "page.md"


def test_tables_replace_what_stood_there_and_nothing_else(page: Path) -> None:
    fill_page(page, page.parent)
    once = page.read_text()
    assert once == (
        PAGE.replace("what stood there\n", "**linear**\n\n| a |\n").replace(
            "knn_comparison -->\n", "knn_comparison -->\n**knn_comparison**\n\n| a |\n"
        )
    )
    fill_page(page, page.parent)
    assert page.read_text() == once


def test_a_page_shows_tables_of_several_experiments(page: Path) -> None:
    text = PAGE.replace("table: linear", "table: one/linear").replace("table: knn_comparison", "table: two/knn")
    for part, name in (("one", "linear"), ("two", "knn")):
        (page.parent / part / "tables").mkdir(parents=True)
        (page.parent / part / f"tables/{name}.md").write_text(f"of {part}\n")
    page.write_text(text)
    fill_page(page, page.parent)
    assert page.read_text() == text.replace("what stood there", "of one").replace("knn -->\n", "knn -->\nof two\n")


def test_tables_that_are_not_made_can_be_kept(page: Path) -> None:
    (page.parent / "tables/linear.md").unlink()
    assert main(["fill", str(page), "--results", str(page.parent), "--keep-missing"]) == 0
    assert page.read_text() == PAGE.replace("knn_comparison -->\n", "knn_comparison -->\n**knn_comparison**\n\n| a |\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stood there\n<!-- end -->", "stood there", "page.md: line 3: the table is not ended; end it with <!-- end"),
        ("-->\n<!-- end -->\nAfter", "-->\nAfter", "page.md: line 8: the table is not ended"),
        ("<!-- table: linear -->", "", "page.md: line 5: <!-- end --> ends no table; begin it with <!-- table: NAME"),
        ("linear -->", "liner -->", "tables/liner.md: cannot be read"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    page: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert PAGE.count(old) == 1
    page.write_text(PAGE.replace(old, new))
    before = page.read_text()
    assert main(["fill", str(page), "--results", str(page.parent)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert page.read_text() == before


def test_a_missing_page_is_named(tmp_path: Path) -> None:
    with pytest.raises(MastError, match=r"absent\.md: cannot be read"):
        fill_page(tmp_path / "absent.md", tmp_path)


def test_the_readme_can_be_filled(page: Path) -> None:
    copy = page.with_name("README.md")
    copy.write_text(README.read_text())
    fill_page(copy, page.parent)
    assert "<!-- table: linear -->\n**linear**\n\n| a |\n<!-- end -->" in copy.read_text()
