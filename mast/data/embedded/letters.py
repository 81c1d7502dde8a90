"""Letters of sixteen fonts that come with matplotlib, as bitmaps: four families, each in two weights and two slants.

Outlines are read from the font files, whose coordinates are whole numbers, and filled here. So images do not depend on
the version of a font rasteriser.
"""

from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mast.errors import MastError

if TYPE_CHECKING:
    from fontTools.ttLib.ttGlyphSet import _TTGlyphSet

CHARACTERS: tuple[str, ...] = tuple("aefgikmnrtwyGMNQR247")
"""Characters of the benchmark. None is the mirror image of another. In the mono-spaced family they have other serifs
or another width.
"""

FONTS: dict[str, tuple[str, str, str, str]] = {
    "sans": ("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSans-Bold", "DejaVuSans-BoldOblique"),
    "mono": ("DejaVuSansMono", "DejaVuSansMono-Oblique", "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique"),
    "serif": ("DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic"),
    "stix": ("STIXGeneral", "STIXGeneralItalic", "STIXGeneralBol", "STIXGeneralBolIta"),
}
"""Family → its font files: regular, regular slanted, bold, bold slanted (matplotlib, `mpl-data/fonts/ttf`)."""

CELLS = 128
"""Number of cells of a bitmap along each side of the em square."""

SHA256 = "dd7de174e7f199c3e3fe8ad55fc756ae4372b09b50cba1a255fb35d1aad97296"
"""Hash of the bitmaps of generator version 1 (`numpy.packbits`)."""

INSTALL = "install matplotlib from PyPI (3.9.0, 3.10.0 and 3.11.2 contain these fonts)"

_STEPS = 8
"""Number of lines into which each curve of an outline is divided."""

_OFF_GRID = 0.37
"""Position in a cell of the sample that decides whether the cell is filled. With it no sample is on an outline."""


@cache
def bitmaps() -> np.ndarray:
    """Return the cells that each letter fills, with its bounding box in the middle of the em square.

    Returns:
        bool [4, 2, 2, C, CELLS, CELLS]: family, weight, slant, character, row (top first), column.

    Raises:
        MastError: matplotlib was installed without its fonts, or has others than those of generator version 1.
    """
    drawn = np.stack([letter for file in font_files() for letter in _letters(file)])
    found = sha256(np.packbits(drawn).tobytes()).hexdigest()
    if found != SHA256:
        raise MastError(f"{_folder()}: the letters are not those of `typefaces`, generator version 1; {INSTALL}")
    return drawn.reshape(len(FONTS), 2, 2, len(CHARACTERS), CELLS, CELLS)


def font_files() -> list[Path]:
    """Return the paths of the fonts, whether they exist or not, without importing matplotlib."""
    return [_folder() / f"{name}.ttf" for names in FONTS.values() for name in names]


def _folder() -> Path:
    return Path(find_spec("matplotlib").origin).parent / "mpl-data/fonts/ttf"


def _letters(file: Path) -> list[np.ndarray]:
    """Return the cells, bool [CELLS, CELLS], that each character fills in one font."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        font = TTFont(BytesIO(file.read_bytes()), lazy=True)
        glyphs, names, em = font.getGlyphSet(), font.getBestCmap(), font["head"].unitsPerEm
        return [_letter(glyphs, names[ord(character)], em) for character in CHARACTERS]
    except (OSError, TTLibError) as error:
        raise MastError(f"{file}: a font of matplotlib cannot be read ({error}); {INSTALL}") from None


def _letter(glyphs: "_TTGlyphSet", name: str, em: int) -> np.ndarray:
    from fontTools.pens.recordingPen import DecomposingRecordingPen

    pen = DecomposingRecordingPen(glyphs)
    glyphs[name].draw(pen)
    contours = _contours(pen.value)
    points = np.concatenate(contours)
    middle = (points.min(0) + points.max(0)) / 2
    return _fill([((contour - middle) / em * [1, -1] + 0.5) * CELLS for contour in contours])


def _contours(drawn: list[tuple[str, tuple]]) -> list[np.ndarray]:
    """Return closed lines, float [P, 2] each, from a pen's record of a TrueType outline."""
    from fontTools.pens.basePen import decomposeQuadraticSegment

    contours: list[list[np.ndarray]] = []
    for operation, arguments in drawn:
        points = np.array(arguments, float)
        if operation == "moveTo":
            contours.append([points[0]])
        elif operation == "lineTo":
            contours[-1].append(points[0])
        elif operation == "qCurveTo":
            for control, end in decomposeQuadraticSegment(arguments):
                contours[-1] += _curve(contours[-1][-1], np.array(control, float), np.array(end, float))
    return [np.array(contour) for contour in contours]


def _curve(start: np.ndarray, control: np.ndarray, end: np.ndarray) -> list[np.ndarray]:
    """Return points of a quadratic Bézier curve, without its start."""
    shares = [step / _STEPS for step in range(1, _STEPS + 1)]
    return [start * (1 - t) * (1 - t) + control * (2 * t * (1 - t)) + end * (t * t) for t in shares]


def _fill(contours: list[np.ndarray]) -> np.ndarray:
    """Return the cells whose sample the lines wind around (TrueType's rule: a winding number other than zero)."""
    samples = np.arange(CELLS) + _OFF_GRID
    winding = np.zeros((CELLS, CELLS), np.int64)
    for contour in contours:
        for (x, y), (next_x, next_y) in zip(contour, np.roll(contour, -1, axis=0), strict=True):
            rows = np.flatnonzero((samples > min(y, next_y)) & (samples <= max(y, next_y)))
            crossing = x + (samples[rows] - y) * ((next_x - x) / (next_y - y)) if len(rows) else samples[rows]
            winding[rows] += (crossing[:, None] < samples) * (1 if next_y > y else -1)
    return winding != 0
