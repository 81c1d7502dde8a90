"""Prepared data are read as they were written, and damaged data are refused."""

import json
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from mast.data.prepared.store import open_prepared
from mast.data.prepared.writer import Writer, channel_statistics
from mast.errors import MastError
from mast.files import read_sealed_json, write_sealed_json


def write(path: Path, count: int = 6, labels: bool = True, test: bool = True, name: str = "toy") -> np.ndarray:
    images = np.arange(count * 4 * 4 * 3, dtype=np.uint8).reshape(count, 4, 4, 3)
    with Writer(path) as writer:
        writer.split("train", images, np.arange(count)[:, None] if labels else None)
        if test:
            writer.split("test", images[:2], np.arange(2)[:, None] if labels else None, skipped=1)
        writer.array("val_indices.npy", np.array([0]))
        targets = {"class": [str(i) for i in range(count)]} if labels else {}
        writer.finish(name, {"kind": "toy"}, "made up", "none", targets, *channel_statistics(images))
    return images


def test_what_is_written_is_read(tmp_path: Path) -> None:
    images = write(tmp_path / "data")
    data = open_prepared(tmp_path / "data")
    assert np.array_equal(data.images("train"), images)
    assert np.array_equal(data.labels("test"), [[0], [1]])
    assert data.manifest.splits == {"train": {"count": 6, "skipped": 0}, "test": {"count": 2, "skipped": 1}}
    assert data.has("test") and not data.has("val")
    assert data.name == "toy" and len(data.sha256) == 64
    assert not data.images("train").flags.writeable
    data.verify()


def test_unlabelled_data_have_no_labels(tmp_path: Path) -> None:
    write(tmp_path, labels=False, test=False)
    assert open_prepared(tmp_path).labels("train") is None
    with pytest.raises(MastError, match="no split 'test'"):
        open_prepared(tmp_path).images("test")


def test_a_directory_without_manifest_is_not_prepared(tmp_path: Path) -> None:
    with pytest.raises(MastError, match=r"no manifest\.json"):
        open_prepared(tmp_path)


def test_a_failed_preparation_leaves_the_old_data_as_they_were(tmp_path: Path) -> None:
    write(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RuntimeError), Writer(tmp_path) as writer:
        writer.split("train", np.zeros((3, 4, 4, 3), np.uint8), None)
        raise RuntimeError
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_preparing_over_old_data_leaves_none_of_their_files(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, count=3, labels=False, test=False)
    assert {path.name for path in tmp_path.iterdir()} == {"train_images.npy", "val_indices.npy", "manifest.json"}
    open_prepared(tmp_path).verify()


def test_a_preparation_cut_off_among_its_last_files_leaves_no_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    write(tmp_path)
    monkeypatch.setattr("mast.records.write_sealed_json", cut_off)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, count=3)
    assert np.load(tmp_path / "train_images.npy").shape[0] == 3
    with pytest.raises(MastError, match=r"no manifest\.json"):
        open_prepared(tmp_path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "test_labels.npy").unlink()
    with pytest.raises(MastError, match=r"test_labels\.npy: missing"):
        open_prepared(tmp_path)


def test_truncated_array_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    content = (tmp_path / "train_images.npy").read_bytes()
    (tmp_path / "train_images.npy").write_bytes(content[:-10])
    with pytest.raises(MastError, match=r"train_images\.npy: damaged"):
        open_prepared(tmp_path)


def test_array_of_another_length_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    np.save(tmp_path / "train_labels.npy", np.zeros((5, 1), np.int64))
    with pytest.raises(MastError, match=r"train_labels\.npy: shape \(5, 1\)"):
        open_prepared(tmp_path)


def test_verify_sees_a_changed_byte(tmp_path: Path) -> None:
    write(tmp_path)
    content = bytearray((tmp_path / "train_images.npy").read_bytes())
    content[-1] ^= 1
    (tmp_path / "train_images.npy").write_bytes(content)
    data = open_prepared(tmp_path)
    with pytest.raises(MastError, match=r"train_images\.npy: has changed"):
        data.verify()


@pytest.mark.parametrize("change", [{"format": 2}, {"format": "1"}])
def test_other_formats_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    write(tmp_path)
    manifest = read_sealed_json(tmp_path / "manifest.json")
    write_sealed_json(tmp_path / "manifest.json", manifest | change)
    with pytest.raises(MastError, match=r"manifest\.json: format '?[12]'?, this version reads 1"):
        open_prepared(tmp_path)


def test_damaged_manifest_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    write_sealed_json(tmp_path / "manifest.json", {"format": 1})
    with pytest.raises(MastError, match=r"manifest\.json: name: Field required"):
        open_prepared(tmp_path)


def test_a_manifest_without_seal_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    manifest = read_sealed_json(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(MastError, match=r"manifest\.json: has no content_sha256"):
        open_prepared(tmp_path)


def test_the_identity_of_other_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    manifest = read_sealed_json(tmp_path / "manifest.json")
    write_sealed_json(tmp_path / "manifest.json", manifest | {"sha256": 64 * "0"})
    with pytest.raises(MastError, match=r"manifest\.json: 'sha256' is not that of 'files'"):
        open_prepared(tmp_path)


def test_identity_depends_on_the_content_only(tmp_path: Path) -> None:
    for directory, name in (("a", "one"), ("b", "two")):
        write(tmp_path / directory, name=name)
    write(tmp_path / "c", count=5)
    first, second, third = (open_prepared(tmp_path / directory).sha256 for directory in "abc")
    assert first == second != third


@pytest.mark.parametrize("count", [0, 1, 12])
def test_streamed_rows_are_what_numpy_saves(tmp_path: Path, count: int) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (count, 3, 5), dtype=np.uint8)
    with Writer(tmp_path) as writer:
        assert writer.stream("streamed.npy", iter(rows), (3, 5)) == count
        writer.array("saved.npy", rows)
        assert (tmp_path / ".partial/streamed.npy").read_bytes() == (tmp_path / ".partial/saved.npy").read_bytes()


def test_unwritable_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MastError, match="file: cannot be written"), Writer(tmp_path / "file"):
        pass
