"""A table's files, and what they were made from."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mast.files import SEAL, read_json, sha256_file, sha256_json, write_sealed_json, write_text
from mast.reporting.tables.formats import html_page, latex, markdown
from mast.reporting.tables.layout import Layout

NOT_SHOWN = ("seconds", "commits", SEAL)
"""Keys of a metrics file that differ between two evaluations with the same result."""


def write_outputs(output_stem: Path, csv: str, layout: Layout, metrics: Sequence[Path]) -> None:
    """Write `<output_stem>.csv`, `.md`, `.tex`, `.html` and, last, `.sources.json`.

    The last holds the hashes of the four and, by path relative to it, of the results in each metrics file.
    """
    files = write_formats(output_stem, csv, layout)
    sources = {os.path.relpath(file, output_stem.parent): result_sha256(read_json(file)) for file in metrics}
    written = {file.name: sha256_file(file) for file in files}
    record = {"format": 1, "metrics": sources, "files": written}
    write_sealed_json(output_stem.with_name(output_stem.name + ".sources.json"), record)


def write_formats(output_stem: Path, csv: str, layout: Layout) -> list[Path]:
    """Write `<output_stem>.csv`, `.md`, `.tex` and `.html`; return their paths."""
    texts = {".csv": csv, ".md": markdown(layout), ".tex": latex(layout), ".html": html_page(layout)}
    files = {output_stem.with_name(output_stem.name + suffix): text for suffix, text in texts.items()}
    for file, text in files.items():
        write_text(file, text)
    return list(files)


def result_sha256(metrics: dict[str, Any]) -> str:
    """SHA-256 of what a metrics file states, without how long it took and which commit measured it; 64 hex digits."""
    return sha256_json({key: value for key, value in metrics.items() if key not in NOT_SHOWN})
