"""Markdown pages that show tables as they were written."""

import re
from pathlib import Path

from mast.errors import MastError
from mast.files import write_text

BEGIN = re.compile(r"<!-- table: ([A-Za-z0-9_.-]+) -->")
END = "<!-- end -->"


def fill_page(page: Path, results: Path) -> None:
    """Put `<results>/tables/NAME.md` between each line `<!-- table: NAME -->` of a page and the next `<!-- end -->`.

    The old table is replaced; everything else stays.

    Raises:
        MastError: the page or a table cannot be read; a table has no end before the next one or the end of the page, or
            an end without a beginning.
    """
    filled, begun = [], 0
    for number, line in enumerate(_read(page, "give the path of a page").split("\n"), start=1):
        begins = BEGIN.fullmatch(line)
        if begins and begun:
            break
        if begins:
            begun = number
            table = _read(Path(results) / f"tables/{begins[1]}.md", "make it first, or correct --results")
            filled += [line, table.rstrip("\n")]
        elif line == END and not begun:
            raise MastError(f"{page}: line {number}: {END} ends no table; begin it with <!-- table: NAME -->")
        elif line == END or not begun:
            begun = 0
            filled.append(line)
    if begun:
        raise MastError(f"{page}: line {begun}: the table is not ended; end it with {END}")
    write_text(page, "\n".join(filled))


def _read(path: Path, hint: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MastError(f"{path}: cannot be read ({error}); {hint}") from None
