"""Metrics files become one row for each metric; files that do not belong together are refused, with the key."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mast.errors import MastError
from mast.files import read_sealed_json, write_sealed_json
from mast.reporting.tables.collect import code_note, collect


def test_one_row_per_metric(metrics_file: Callable[..., Path]) -> None:
    files = [metrics_file(seed=seed, metrics={"hue": {"top1": 40.0 + seed}, "size": {"top1": 7.5}}) for seed in (0, 1)]
    frame = collect(files)
    assert frame[["target", "seed", "value"]].to_numpy().tolist() == [
        ["hue", 0, 40.0],
        ["size", 0, 7.5],
        ["hue", 1, 41.0],
        ["size", 1, 7.5],
    ]
    assert frame["test_count"].unique() == [2000]


def test_null_metric_is_nan(metrics_file: Callable[..., Path]) -> None:
    frame = collect([metrics_file(metrics={"box": {"AP": 1.0, "APs": None}})])
    assert frame["value"].isna().tolist() == [False, True]


def test_no_files_give_an_empty_frame() -> None:
    assert len(collect([])) == 0


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"seed": 1, "spec_sha256": "edited"}, "spec_sha256"),
        ({"seed": 1, "dataset": "digits"}, "dataset"),
        ({"seed": 1, "settings": {"strengths": 9}}, "settings_sha256"),
        ({"seed": 1, "version": 2}, "version"),
        ({"seed": 1, "data_sha256": "new"}, "data_sha256"),
        ({"seed": 1, "task_sha256": "new"}, "task_sha256"),
        ({"run": "mast", "data_sha256": "new"}, "data_sha256"),
        ({"run": "mast", "version": 2}, "version"),
        ({"run": "mast", "task_sha256": "new"}, "task_sha256"),
        ({"task": "digits", "encoder_sha256": "retrained"}, "encoder_sha256"),
        ({"task": "digits", "spec_sha256": "edited"}, "spec_sha256"),
    ],
)
def test_refuses_to_mix(metrics_file: Callable[..., Path], other: dict[str, object], named: str) -> None:
    first, second = metrics_file(), metrics_file(**other)
    with pytest.raises(MastError) as error:
        collect([first, second])
    message = str(error.value)
    assert str(first) in message
    assert str(second) in message
    assert named in message
    assert "\n" not in message


def test_refuses_training_and_evaluation_on_different_data_of_one_name(metrics_file: Callable[..., Path]) -> None:
    path = metrics_file(data_sha256="old")
    with pytest.raises(MastError, match="trained and evaluated on different data of the name 'shapes'") as error:
        collect([path])
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_other_data_than_those_of_training_may_be_evaluated(metrics_file: Callable[..., Path]) -> None:
    assert len(collect([metrics_file(task="digits", task_sha256="any")])) == 1


OLD, NEW = "1" * 40, "2" * 40


def test_versions_of_the_code_are_named_where_they_differ(
    metrics_file: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    files = [metrics_file(commits=[OLD]), metrics_file(seed=1, commits=[OLD, f"{NEW}-dirty"])]
    assert code_note(collect(files[:1])) == []
    [note] = code_note(collect(files))
    assert note == "Results of 2 versions of the code: 111111111111, 222222222222-dirty."
    assert caplog.messages == [note]


def test_metrics_without_a_commit_are_of_no_other_version(metrics_file: Callable[..., Path]) -> None:
    assert code_note(collect([metrics_file(), metrics_file(seed=1, commits=[OLD])])) == []


def test_refuses_the_same_seed_twice(metrics_file: Callable[..., Path]) -> None:
    first, second = metrics_file(), metrics_file()
    with pytest.raises(MastError, match="both hold linear of run 'vicreg', seed 0") as error:
        collect([first, second])
    assert str(second) in str(error.value)


def test_other_seeds_runs_tasks_and_protocols_may_differ(metrics_file: Callable[..., Path]) -> None:
    files = [
        metrics_file(),
        metrics_file(seed=1),
        metrics_file(run="mast"),
        metrics_file(task="digits"),
        metrics_file(protocol="knn", kind="knn", settings={"k": 20}, version=3),
    ]
    assert len(collect(files)) == 5


def test_damaged_file_is_named(metrics_file: Callable[..., Path]) -> None:
    path = metrics_file()
    path.write_text(path.read_text()[:50])
    with pytest.raises(MastError, match="not valid JSON") as error:
        collect([path])
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("metrics", {"hue": {"top1": 101}}, "metrics.hue.top1"),
        ("metrics", {"hue": {"top1": "high"}}, "metrics.hue.top1"),
        ("format", 2, "format"),
        ("seed", None, "seed"),
    ],
)
def test_wrong_value_names_file_and_key(metrics_file: Callable[..., Path], key: str, value: object, named: str) -> None:
    path = metrics_file()
    write_sealed_json(path, read_sealed_json(path) | {key: value})
    with pytest.raises(MastError) as error:
        collect([path])
    assert str(error.value).startswith(f"{path}: {named}")
    assert "\n" not in str(error.value)


def test_missing_key_is_named(metrics_file: Callable[..., Path]) -> None:
    path = metrics_file()
    content = read_sealed_json(path)
    del content["encoder_sha256"]
    write_sealed_json(path, content)
    with pytest.raises(MastError, match="encoder_sha256"):
        collect([path])
