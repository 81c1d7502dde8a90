"""`python -m benchmarks.gpu.document [DIR]`: copy a run's tables (DIR/gpu.md) to docs/understand/performance.md."""

import sys
from pathlib import Path

from benchmarks.gpu.options import RESULTS
from mast.files import write_text

DOCUMENT = Path("docs/understand/performance.md")
BEGIN, END = "<!-- gpu: begin -->", "<!-- gpu: end -->"


def fill(document: str, tables: str) -> str:
    """Return the document with `tables` between the two markers."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    write_text(DOCUMENT, fill(DOCUMENT.read_text(encoding="utf-8"), (folder / "gpu.md").read_text(encoding="utf-8")))
