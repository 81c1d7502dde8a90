"""A message for the user is one line without invisible characters, whatever names it contains."""

import pytest

from mast.errors import MastError, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a/größe 猫.png: is a file", "a/größe 猫.png: is a file"),
        ("a\nb\r\x85\u2028c", r"a\nb\r\x85\u2028c"),
        ("cat\u200b and hot\u00a0dog", r"cat\u200b and hot\xa0dog"),
        ("it's 'so' \\ \"quoted\"", "it's 'so' \\ \"quoted\""),
        ("\ud800 of a name that is no UTF-8", r"\ud800 of a name that is no UTF-8"),
    ],
)
def test_what_does_not_show_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown == str(MastError(text))
    assert len(str(MastError(text)).splitlines()) == 1
