"""Markdown pages that show tables as they were written."""

import re
from pathlib import Path

from mast.errors import MastError
from mast.files import write_text

BEGIN = re.compile(r"<!-- table: (?:([A-Za-z0-9_.-]+)/)?([A-Za-z0-9_.-]+) -->")
END = "<!-- end -->"


def fill_page(page: Path, results: Path, keep_missing: bool = False) -> None:
    """Put `<results>/tables/NAME.md` between each line `<!-- table: NAME -->` of a page and the next `<!-- end -->`.

    The old table is replaced; everything else stays. For `<!-- table: PART/NAME -->` the table is
    `<results>/PART/tables/NAME.md`: a page can show tables of several experiments.

    Args:
        page: path of a Markdown file.
        results: results directory of one experiment, or the parent of several.
        keep_missing: keep the old text where a table does not exist.

    Raises:
        MastError: the page or a table cannot be read; a table has no end before the next one or the end of the page, or
            an end without a beginning.
    """
    filled, begun, kept = [], 0, False
    for number, line in enumerate(_read(page, "give the path of a page").split("\n"), start=1):
        begins = BEGIN.fullmatch(line)
        if begins and begun:
            break
        if begins:
            begun = number
            table = Path(results) / (begins[1] or "") / f"tables/{begins[2]}.md"
            kept = keep_missing and not table.exists()
            filled.append(line)
            if not kept:
                filled.append(_read(table, "make it first, or correct --results").rstrip("\n"))
        elif line == END and not begun:
            raise MastError(f"{page}: line {number}: {END} ends no table; begin it with <!-- table: NAME -->")
        elif line == END or not begun:
            begun = 0
            filled.append(line)
        elif kept:
            filled.append(line)
    if begun:
        raise MastError(f"{page}: line {begun}: the table is not ended; end it with {END}")
    write_text(page, "\n".join(filled))


def _read(path: Path, hint: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MastError(f"{path}: cannot be read ({error}); {hint}") from None
