"""Files of a table, and the record of their sources."""

import os
from collections.abc import Sequence
from pathlib import Path

from mast.files import sha256_file, write_texts
from mast.records import MetricsFile, TableSources
from mast.reporting.tables.formats import html_page, latex, markdown
from mast.reporting.tables.layout import Layout
from mast.results import SOURCES_SUFFIX, suffixed


def write_outputs(output_stem: Path, csv: str, layout: Layout, metrics: Sequence[Path]) -> None:
    """Write `<output_stem>.csv`, `.md`, `.tex`, `.html` and, last, `.sources.json`.

    The last file has the hashes of the other four and, by relative path, of the results in each metrics file.
    """
    files = write_formats(output_stem, csv, layout)
    sources = {os.path.relpath(file, output_stem.parent): MetricsFile.read(file).result_sha256() for file in metrics}
    written = {file.name: sha256_file(file) for file in files}
    TableSources(format=1, metrics=sources, files=written).write(suffixed(output_stem, SOURCES_SUFFIX))


def write_formats(output_stem: Path, csv: str, layout: Layout) -> list[Path]:
    """Write `<output_stem>.csv`, `.md`, `.tex` and `.html`, all or none; return their paths."""
    texts = {".csv": csv, ".md": markdown(layout), ".tex": latex(layout), ".html": html_page(layout)}
    files = {suffixed(output_stem, suffix): text for suffix, text in texts.items()}
    write_texts(files)
    return list(files)
