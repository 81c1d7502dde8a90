"""Names that look the same are found and told apart in words; names that differ only in accent form are the same."""

import unicodedata
from pathlib import Path

import pytest

from mast.data.names import Finder, composed, difference, seen, twin, written_out

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("other", ["cat\u200b", "\ufeffcat", "cat ", " cat", "c\u00adat", "cat\u2060", "cat\u00a0"])
def test_what_does_not_show_is_not_seen(other: str) -> None:
    assert other != "cat" and seen(other) == "cat"


def test_accents_are_one_character_or_two() -> None:
    assert NFC != NFD and composed(NFC) == composed(NFD)
    assert composed("cafe") != composed(NFC)


@pytest.mark.parametrize(
    ("name", "other", "how"),
    [
        (NFD, NFC, r"'cafe\u0301' and 'café': they differ in how accents are stored"),
        ("cat\u200b", "cat", r"'cat\u200b' and 'cat': they differ by characters that do not show"),
        ("hot\u00a0dog", "hot dog", r"'hot\xa0dog' and 'hot dog': they differ by characters that do not show"),
        ("cat ", "cat", "'cat ' and 'cat': they differ by spaces at an end"),
        ("Cat", "cat", "'Cat' and 'cat': they differ by case"),
    ],
)
def test_the_difference_is_told(name: str, other: str, how: str) -> None:
    assert twin(name, ["bird", other]) == other
    assert difference(name, other).startswith(how)


def test_the_nearest_look_is_taken() -> None:
    assert twin("cat\u200b", ["CAT", "cat"]) == "cat"
    assert twin("cow", ["cat", "dog"]) is None
    assert written_out("größe") == "'größe'"


@pytest.mark.usefixtures("distinct_names")
def test_a_file_is_found_under_either_form_of_its_path(tmp_path: Path) -> None:
    (tmp_path / NFD / "deep").mkdir(parents=True)
    there = tmp_path / NFD / "deep" / f"{NFC}.png"
    there.touch()
    finder = Finder()
    assert finder.find(there) == there
    assert finder.find(tmp_path / NFC / "deep" / f"{NFD}.png") == there
    assert finder.find(tmp_path / NFC / "deep" / "cafe.png") is None
    assert finder.find(tmp_path / "nowhere" / "a.png") is None


@pytest.mark.usefixtures("distinct_names")
def test_a_file_of_other_case_is_a_hint_and_no_match(tmp_path: Path) -> None:
    (tmp_path / "IMG.JPG").touch()
    finder = Finder()
    assert finder.find(tmp_path / "img.jpg") is None
    assert finder.hint(tmp_path / "img.jpg") == "; there is another, 'img.jpg' and 'IMG.JPG': they differ by case"
    assert finder.hint(tmp_path / "other.jpg") == "" and finder.hint(tmp_path / "no/img.jpg") == ""


@pytest.mark.usefixtures("distinct_names")
def test_an_image_is_found_under_another_suffix(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.png", "b.txt", "c.png", "c.jpeg", f"{NFD}.1.tif"):
        (tmp_path / name).touch()
    finder = Finder()
    found = [finder.find_image(tmp_path / f"{stem}.jpg") for stem in ("a", "b", "c", f"{NFC}.1", "d")]
    assert found == [tmp_path / "a.JPG", tmp_path / "b.png", None, tmp_path / f"{NFD}.1.tif", None]
    assert finder.find_image(tmp_path / "no/a.jpg") is None
