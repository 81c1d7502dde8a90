"""Letters equal those that Pillow draws from the same files, all differ, and other fonts are refused."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_dilation, binary_erosion

from mast.data.embedded import letters
from mast.data.embedded.letters import CELLS, CHARACTERS, FONTS, bitmaps
from mast.data.readers.typefaces import TypefacesData
from mast.errors import MastError

FINE = 4
NEAR = np.ones((7, 7))
"""Cells around an edge in which the two may differ: three to either side, 2 % of the em."""
FILES = [name for names in FONTS.values() for name in names]


@pytest.fixture
def unread() -> Iterator[None]:
    bitmaps.cache_clear()
    yield
    bitmaps.cache_clear()


def drawn_by_pillow(file: Path, character: str) -> np.ndarray:
    """bool [CELLS, CELLS], of a drawing so large that hinting, which moves edges by a pixel, hardly shows."""
    font = ImageFont.truetype(file, FINE * CELLS, layout_engine=ImageFont.Layout.BASIC)
    side = 2 * FINE * CELLS
    canvas = Image.new("L", (side, side))
    ImageDraw.Draw(canvas).text((side // 4, side // 4), character, fill=255, font=font)
    left, top, right, bottom = canvas.getbbox()
    corner = [round(middle - side / 4) for middle in ((top + bottom) / 2, (left + right) / 2)]
    return np.asarray(canvas)[tuple(slice(start + FINE // 2, start + side // 2, FINE) for start in corner)] > 127


@pytest.mark.parametrize("number", range(len(FILES)), ids=FILES)
def test_letters_are_those_that_pillow_draws(number: int) -> None:
    ours = bitmaps().reshape(len(FILES), len(CHARACTERS), CELLS, CELLS)[number]
    for character, letter in zip(CHARACTERS, ours, strict=True):
        theirs = drawn_by_pillow(letters._folder() / f"{FILES[number]}.ttf", character)
        edge = binary_dilation(letter, NEAR) & ~binary_erosion(letter, NEAR)
        assert not ((letter != theirs) & ~edge).any()
        assert (letter & theirs).sum() > 0.85 * max(letter.sum(), theirs.sum())


def test_no_letter_is_another_in_a_mirror() -> None:
    for font in bitmaps().reshape(-1, len(CHARACTERS), CELLS, CELLS):
        for first, letter in enumerate(font):
            for second in range(first):
                for other in (font[second], font[second][:, ::-1]):
                    assert (letter & other).sum() / (letter | other).sum() < 0.75


def test_bold_is_heavier_and_slanted_leans() -> None:
    drawn = bitmaps()
    area = drawn.sum((-1, -2))
    assert np.all(area[:, 1] > 1.25 * area[:, 0])
    rows = np.arange(CELLS)[:, None] - CELLS / 2
    columns = np.arange(CELLS) - CELLS / 2
    lean = -(drawn * rows * columns).sum((-1, -2)) / area
    assert np.all(lean[:, :, 1] > lean[:, :, 0] + 10)


def test_other_fonts_are_refused(unread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(letters.FONTS, "sans", (*letters.FONTS["sans"][:3], "DejaVuSans-Bold"))
    with pytest.raises(MastError, match=r"fonts/ttf: the letters are not those of `typefaces`, generator version 1"):
        bitmaps()


def test_missing_and_broken_fonts_are_named(unread: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TypefacesData(kind="typefaces")
    assert spec.missing() == [] and spec.check(evaluated=True) is None
    monkeypatch.setattr(letters, "_folder", lambda: tmp_path)
    assert len(spec.missing()) == 16
    with pytest.raises(
        MastError, match=r"DejaVuSans\.ttf: a font of matplotlib is missing; install matplotlib from PyPI"
    ):
        spec.check(evaluated=True)
    (tmp_path / "DejaVuSans.ttf").write_bytes(b"no font")
    with pytest.raises(
        MastError, match=r"DejaVuSans\.ttf: a font of matplotlib cannot be read \(.*; install matplotlib"
    ):
        bitmaps()
