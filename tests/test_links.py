"""Links of all pages lead to a file of the checkout, and to a heading if they name one; named paths are there."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from support import ROOT
from support.pages import listed

import mast

LINK = re.compile(r"(?<!\\)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
CODE_BLOCKS = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^(```|~~~).*?^\1\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"(?<![\w./-])(?:docs|config)/[\w./-]*[\w/]")
"""A path below docs/ or config/, without the full stop of its sentence."""


def anchors(page: Path) -> set[str]:
    """The headings' anchors as GitHub makes them: lower case, no punctuation, hyphens, numbered if double."""
    found: dict[str, int] = {}
    names = set(re.findall(r'<a (?:id|name)="([^"]+)"', page.read_text(encoding="utf-8")))
    text = CODE_BLOCKS.sub("", page.read_text(encoding="utf-8"))
    for heading in re.findall(r"^#{1,6} +(.+?)\s*#*$", text, re.MULTILINE):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
        number = found.get(anchor, 0)
        found[anchor] = number + 1
        names.add(f"{anchor}-{number}" if number else anchor)
    return names


def broken(page: Path, root: Path = ROOT) -> list[str]:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    faults = []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or not file.is_relative_to(root):
            faults.append(f"{target}: no such file")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            faults.append(f"{target}: no such heading")
    return faults


@pytest.mark.parametrize("page", listed("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "# One: two\n\n[a](#one-two) [b](#one) [c](none.md) [d](../up.md) `[e](code.md)`\n"
    page.write_text(text, encoding="utf-8")
    (tmp_path.parent / "up.md").touch()
    assert broken(page, tmp_path) == ["#one: no such heading", "none.md: no such file", "../up.md: no such file"]


NAMING = listed("CHANGELOG.md", "config/*.yaml", "config/paper/*.yaml")
"""Files that name pages and configurations without links."""


@pytest.mark.parametrize("file", NAMING, ids=lambda file: str(file.relative_to(ROOT)))
def test_named_paths_are_there(file: Path) -> None:
    named = set(PLACE.findall(file.read_text(encoding="utf-8")))
    assert {place for place in named if not (ROOT / place).exists()} == set()


def test_named_paths_are_found() -> None:
    text = "`config/claim.yaml`: ../docs/a.md, see docs/use/data.md. (config/paper/)"
    assert PLACE.findall(text) == ["config/claim.yaml", "docs/use/data.md", "config/paper/"]
    assert len(NAMING) > 10


def test_every_docs_page_is_reached_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")))
        linked = {(page.parent / link).resolve() for link in links if link.endswith(".md")}
        waiting += [file for file in linked if file.is_file() and file not in seen]
    assert {page for page in listed("*.md") if page.is_relative_to(ROOT / "docs")} <= seen


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert citation["version"] == mast.__version__
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "mast.__version__"}
    assert f"## {mast.__version__} (" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
