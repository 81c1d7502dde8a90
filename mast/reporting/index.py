"""First page of the results: tables and figures of a configuration in one self-contained file."""

import base64
import html
import os
from pathlib import Path

from mast.config.index import IndexFigure, IndexPart, IndexSpec
from mast.errors import MastError
from mast.files import write_text
from mast.reporting.html import content_of, page
from mast.results import Results

OTHER_FORMATS = {".csv": "CSV", ".md": "Markdown", ".tex": "LaTeX"}
"""Suffix of a table's other files → text of their links."""


def write_index(spec: IndexSpec, output: Path) -> None:
    """Write the page. Tables and figures are included; links to their files are relative to the page.

    Raises:
        MastError: a table or a figure cannot be read.
    """
    here, results = output.parent, Results(output.parent)
    ways = (
        f"The {_link(here, results.report, 'report of the workflow')} shows how each file was made: rule, command, "
        f"settings and time. {_link(here, results.config, results.config.name)} is the configuration."
    )
    links = "".join(f'<li><a href="#part-{n}">{html.escape(part.title)}</a></li>' for n, part in enumerate(spec.parts))
    lines = [f"<h1>{html.escape(spec.title)}</h1>", f"<p>{ways}</p>", f"<nav><ul>{links}</ul></nav>"]
    for number, part in enumerate(spec.parts):
        lines += [f'<section id="part-{number}">', *_part(here, part), "</section>"]
    write_text(output, page(f"{spec.title}: tables and figures", "\n".join(lines)))


def _part(here: Path, part: IndexPart) -> list[str]:
    first, *others = part.tables
    figures = [_figure(here, figure) for figure in part.figures]
    return [_table(here, Path(first), part.note), *figures, *(_table(here, Path(file)) for file in others)]


def _table(here: Path, file: Path, note: str = "") -> str:
    links = [_link(here, file.with_name(file.stem + suffix), name) for suffix, name in OTHER_FORMATS.items()]
    notes = [html.escape(note)] * bool(note) + [" · ".join(links)]
    return "\n".join(
        [content_of(_read(file).decode(errors="replace")), *(f'<p class="note">{own}</p>' for own in notes)]
    )


def _figure(here: Path, figure: IndexFigure) -> str:
    file, name = Path(figure.file), html.escape(figure.name)
    image = f'<img alt="{name}" src="data:image/png;base64,{base64.b64encode(_read(file)).decode()}">'
    link = _link(here, file.with_name(file.stem + ".svg"), "SVG")
    return f"<figure>{image}<figcaption>{html.escape(figure.caption)} {link}</figcaption></figure>"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise MastError(f"{file}: cannot be read ({error.strerror}); make it first") from None


def _link(here: Path, file: Path, text: str) -> str:
    return f'<a href="{html.escape(os.path.relpath(file, here))}">{html.escape(text)}</a>'
