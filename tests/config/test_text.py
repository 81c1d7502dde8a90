"""Text that YAML 1.1 reads in an unexpected way gives one line that tells how to write it."""

from pathlib import Path

import pytest

from mast.config.published import read_published
from mast.config.text import read_yaml
from mast.errors import MastError


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("runtime: 1:00:00", ["line 1: 1:00:00 is read as the number 3600", "of minutes 60)", "'1:00:00'"]),
        ("a: {runtime: 1:30}", ["1:30 is read as the number 90", "of minutes 90)"]),
        ("ratio:\n- 3:4", ["line 2: 3:4 is read as the number 184"]),
        ("scale: 1:30.5", ["1:30.5 is read as the number 90.5"]),
        ("seeds: [010]", ["010 is read as 8", "write 10, or put text into quotes: '010'"]),
        ("label: -007", ["-007 is read as -7", "'-007'"]),
        ("name: 2024-01-31", ["2024-01-31 is read as a date", "'2024-01-31'"]),
        ("name: 2024-01-31 10:00:00", ["is read as a date"]),
        ("runs: {no: {}}", ["the key no is read as False", "'no'"]),
        ("runs:\n  on: {}", ["line 2: the key on is read as True"]),
        ("1: a", ["the key 1 is read as 1"]),
        ("null: a", ["the key null is read as None"]),
        ("2024-01-31: a", ["the key 2024-01-31 is read as datetime.date"]),
        ("a: &x [1:00]\nb: *x", ["line 1: 1:00 is read as the number 60"]),
    ],
)
def test_what_is_read_as_something_else_is_named(text: str, named: list[str], tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(MastError) as error:
        read_yaml(path)
    message = str(error.value)
    assert message.startswith(f"{path}: line ")
    assert "\n" not in message
    for part in named:
        assert part in message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: '1:00:00'", {"a": "1:00:00"}),
        ("a: 60", {"a": 60}),
        ("a: 0", {"a": 0}),
        ("a: [0.1, 1.0e-3, 1_000, -5, 0x10]", {"a": [0.1, 0.001, 1000, -5, 16]}),
        ("a: yes", {"a": True}),
        ("'007': \"010\"", {"007": "010"}),
        ("a: C:/images", {"a": "C:/images"}),
        ("a: {<<: {b: 1}, c: 2}", {"a": {"b": 1, "c": 2}}),
        ("None: NA", {"None": "NA"}),
    ],
)
def test_what_is_meant_as_it_is_read_passes(text: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert read_yaml(path) == value


def test_published_values_are_read_by_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "published.yaml"
    path.write_text("values:\n- {value: 71:30}\n")
    with pytest.raises(MastError, match="line 2: 71:30 is read as the number 4290"):
        read_published(path)
