"""Published values are read strictly, and are shown with the run that they belong to."""

from itertools import product
from pathlib import Path

import pytest
from support import ROOT

from mast.config.load import load_experiment
from mast.config.published import PublishedValue, find_published, read_published
from mast.config.tables import TableRow, TableSpec
from mast.errors import MastError

COMMITTED = ROOT / "config" / "published.yaml"

ENTRY = "kind: linear, task: imagenet, metric: top1, encoder: resnet50, dataset: imagenet"
COLUMN = ("imagenet", "class", "top1")


def _row(**changed: object) -> TableRow:
    values = {"run": "r", "label": "r", "method": "vicreg", "encoder": "resnet50", "dataset": "imagenet"}
    return TableRow(**(values | {"epochs": 100, "batch_size": 512} | changed))


def _spec(row: TableRow, kind: str = "linear-lbfgs") -> TableSpec:
    return TableSpec(name="t", title="T", protocol="p", kind=kind, tasks=("imagenet",), rows=(row,))


def _read(tmp_path: Path, *entries: str) -> tuple[PublishedValue, ...]:
    path = tmp_path / "published.yaml"
    path.write_text("values:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries))
    return read_published(path)


def _found(
    values: tuple[PublishedValue, ...], row: TableRow, column: tuple[str, str, str] = COLUMN, kind: str = "linear-lbfgs"
) -> float | None:
    value = find_published(values, _spec(row, kind), column, row)
    return value and value.value


def test_number_without_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MastError, match=r"published\.yaml: values\.0: value 73.2 has no source") as error:
        _read(tmp_path, f"{ENTRY}, method: vicreg, value: 73.2")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", ["-1", "100.5", "high", ".nan"])
def test_value_is_a_percentage(tmp_path: Path, value: str) -> None:
    with pytest.raises(MastError, match=r"values\.0"):
        _read(tmp_path, f"{ENTRY}, method: vicreg, value: {value}, source: s")


def test_unknown_key_and_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(MastError, match="did you mean 'source'"):
        _read(tmp_path, f"{ENTRY}, method: vicreg, value: 1, sorce: s")
    with pytest.raises(MastError, match=r"absent\.yaml"):
        read_published(tmp_path / "absent.yaml")


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MastError, match=r"published\.yaml: line 2: key 'value' is in line 2 already"):
        _read(tmp_path, f"{ENTRY}, method: vicreg, value: 73.2, value: 74, source: s")


def test_matches_only_the_run_it_was_measured_on(tmp_path: Path) -> None:
    values = _read(tmp_path, f"{ENTRY}, method: vicreg, epochs: 100, value: 68.6, source: s")
    assert _found(values, _row()) == 68.6
    for other in ({"method": "mast"}, {"encoder": "resnet18"}, {"dataset": "stl10"}, {"epochs": 200}):
        assert _found(values, _row(**other)) is None
    assert _found(values, _row(), ("digits", "digit", "top1")) is None
    assert _found(values, _row(), ("imagenet", "class", "top5")) is None
    assert _found(values, _row(), kind="knn") is None


def test_runs_are_told_apart_by_their_augmentations(tmp_path: Path) -> None:
    entry = f"{ENTRY}, method: mast, source: s"
    values = _read(tmp_path, f"{entry}, augmentations: mast5, value: 5", f"{entry}, augmentations: mast15, value: 15")
    rows = [_row(method="mast", augmentations=name) for name in ("mast5", "mast15", "crop+flip", None)]
    assert [_found(values, row) for row in rows] == [5, 15, None, None]


def test_every_mast_number_of_the_papers_main_tables_has_one_slot_of_its_own() -> None:
    """A value next to two rows of a table would be wrong for one of them."""
    values, shown = read_published(COMMITTED), []
    metrics = {"svm-voc": ("mAP",), "detection": ("AP", "AP50", "AP75")}
    for paper, studies in (("imagenet", None), ("stl10", ["linear"])):
        experiment = load_experiment(COMMITTED.parent / f"paper/{paper}.yaml")
        for name in studies or sorted(set(experiment.studies) - {"linear_100"}):
            spec = experiment.table_spec(name)
            for row, task in product((row for row in spec.rows if row.method == "mast"), spec.tasks):
                targets = {"coco": ("box", "mask"), "voc0712": ("box",)}.get(task, ("class",))
                for column in product([task], targets, metrics.get(spec.kind, [spec.metrics.get(task, "top1")])):
                    found = find_published(values, spec, column, row)
                    assert found is not None, (name, row.run, column)
                    shown.append((name, column, id(found)))
    assert len(shown) == len(set(shown)) >= 2 * (3 + 2 + 1 + 3 + 6 + 12)


def test_kind_is_not_a_mere_prefix(tmp_path: Path) -> None:
    values = _read(tmp_path, f"{ENTRY.replace('linear', 'lin')}, method: vicreg, value: 1, source: s")
    assert _found(values, _row()) is None


def test_the_most_specific_entry_wins_and_a_tie_is_refused(tmp_path: Path) -> None:
    entries = [
        f"{ENTRY}, method: vicreg, epochs: 100, value: 68.6, source: paper",
        f"{ENTRY}, method: vicreg, epochs: 100, batch_size: 256, value: 63.0, source: benchmark",
    ]
    values = _read(tmp_path, *entries)
    assert _found(values, _row(batch_size=256)) == 63.0
    assert _found(values, _row(batch_size=512)) == 68.6
    with pytest.raises(MastError, match="two entries match"):
        _found(_read(tmp_path, entries[0], entries[0]), _row())


def test_a_note_may_depend_on_the_protocol_beside_which_it_stands(tmp_path: Path) -> None:
    (value,) = _read(tmp_path, f"{ENTRY}, method: vicreg, value: 1, source: s, note: {{linear-lbfgs: by SGD}}")
    assert [value.note_for(kind) for kind in ("linear-lbfgs", "linear-sgd")] == ["by SGD", ""]
    with pytest.raises(MastError, match=r"values\.0: note: knn is not of kind linear"):
        _read(tmp_path, f"{ENTRY}, method: vicreg, value: 1, source: s, note: {{knn: by SGD}}")


def test_notes_of_committed_values_say_what_differs() -> None:
    """SGD is no difference beside a head trained by SGD; numbers on VOC have VOC's score, as ours in imagenet.yaml."""
    values = read_published(COMMITTED)
    numbers = [value for value in values if value.value is not None]
    assert all("SGD" in value.note_for("linear-lbfgs") for value in numbers if value.kind == "linear")
    assert not any("SGD" in value.note_for("linear-sgd") for value in numbers)
    assert {("11-point" in value.note) for value in numbers if value.task == "voc0712"} == {True}
    protocols = load_experiment(COMMITTED.parent / "paper/imagenet.yaml").protocols
    assert (protocols["detection-voc"].score, protocols["detection-coco"].score) == ("voc07", "coco")


def test_committed_values() -> None:
    values = read_published(COMMITTED)
    assert all(value.value is None for value in values if value.method == "mast")
    assert _found(values, _row(epochs=1000)) == 73.2
    assert _found(values, _row(epochs=100, batch_size=256), kind="knn") == 46.3
    assert _found(values, _row(method="supervised"), ("imagenet", "class", "top1")) is None
    assert _found(values, _row(), ("voc0712", "box", "AP50"), "detection") == 82.4


def test_committed_entries_are_distinct() -> None:
    keys = [value.model_dump_json(exclude={"value", "source", "note"}) for value in read_published(COMMITTED)]
    assert len(keys) == len(set(keys))
