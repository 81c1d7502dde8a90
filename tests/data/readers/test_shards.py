"""Parquet, Arrow and WebDataset shards: images, labels and splits arrive as they were written."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pyarrow as pa
import pytest
from PIL import Image
from pydantic import ValidationError
from support.shards import NAMES, png, sample, table, write_parquet, write_saved, write_stream, write_tar

from mast.data.outside import Snapshot, changes, snapshot
from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers import READERS, Reader
from mast.errors import MastError

SPLITS = {"train": (range(6),), "validation": (range(6, 8),), "test": (range(8, 12),)}


def hub(root: Path) -> None:
    for split, parts in SPLITS.items():
        write_parquet(root / f"data/{split}-00000-of-00001.parquet", table(parts[0]))


def saved(root: Path) -> None:
    for split, parts in SPLITS.items():
        write_saved(root, split, map(table, parts))
    write_stream(root / "train/cache-0123.arrow", table(range(12)))  # what `map` leaves beside a dataset


def tars(root: Path) -> None:
    for split, parts in SPLITS.items():
        write_tar(root / f"own-{split}-000000.tar", [member for number in parts[0] for member in sample(number)])


WRITERS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "parquet": (hub, ("label", "grade")),
    "arrow": (saved, ("label", "grade")),
    "webdataset": (tars, ("cls", "sex")),
}


def spec_of(kind: str, root: Path, **settings: object) -> Reader:
    return READERS[kind](kind=kind, root=str(root), size=16, **settings)


def prepared(spec: Reader, output: Path) -> PreparedData:
    spec.check(evaluated=False)
    prepare("mine", spec, output)
    return open_prepared(output)


def numbers(data: PreparedData, split: str) -> list[int]:
    return (np.asarray(data.images(split)).mean(axis=(1, 2, 3)) / 20).round().astype(int).tolist()


@pytest.mark.parametrize("kind", WRITERS)
def test_images_labels_and_splits_are_those_that_were_written(kind: str, tmp_path: Path) -> None:
    write, targets = WRITERS[kind]
    write(tmp_path / "own")
    spec = spec_of(kind, tmp_path / "own", targets=targets)
    spec.check(evaluated=True)
    data = prepared(spec, tmp_path / "out")
    assert (numbers(data, "train"), numbers(data, "test")) == (list(range(8)), list(range(8, 12)))
    assert data.val_indices.tolist() == [6, 7]
    assert data.labels("train").tolist() == [[number % 3, number % 2] for number in range(8)]
    assert data.targets[targets[0]] == (["0", "1", "2"] if kind == "webdataset" else NAMES)
    assert data.targets[targets[1]] == (["f", "m"] if kind == "webdataset" else ["1", "10"]), "in the order of numbers"
    assert spec.known_labels.train.tolist() == data.labels("train").tolist()
    assert spec.known_labels.test.tolist() == data.labels("test").tolist()
    assert (spec.train_count, spec.prepared_bytes) == (8, 12 * 16 * 16 * 3)


@pytest.mark.parametrize("kind", WRITERS)
def test_other_splits_can_be_chosen_or_drawn(kind: str, tmp_path: Path) -> None:
    write, (target, _) = WRITERS[kind]
    write(tmp_path / "own")
    spec = spec_of(kind, tmp_path / "own", shards={"train": "*train*", "test": "*validation*"})
    data = prepared(spec, tmp_path / "out")
    assert (numbers(data, "train"), numbers(data, "test")) == (list(range(6)), [6, 7])
    assert data.labels("train") is None
    files = [str(file) for file in sorted((tmp_path / "own").rglob("*"))]
    shard = next(Path(file) for file in files if "test" in file.rpartition("own")[2] and file.endswith(spec.SUFFIXES))
    spec = spec_of(kind, shard, targets=(target,), test_fraction=0.5)
    assert len(spec.known_labels.train) + len(spec.known_labels.test) == 4
    spec = spec_of(kind, tmp_path / "own", targets=(target,), test_fraction=0.5)
    with pytest.raises(MastError, match="test_fraction: names of files say which images"):
        spec.check(evaluated=False)


@pytest.mark.parametrize("kind", WRITERS)
def test_changed_and_added_shards_are_noticed(kind: str, tmp_path: Path) -> None:
    write, _ = WRITERS[kind]
    write(tmp_path / "own")
    spec = spec_of(kind, tmp_path / "own")
    snapshot(spec.sources()).write(tmp_path / "sources.npz")
    before = Snapshot.read(tmp_path / "sources.npz")
    assert not changes(before, before.again())
    shard = next(file for file in sorted((tmp_path / "own").rglob("*")) if file.name.endswith(spec.SUFFIXES))
    (tmp_path / "own" / "README.md").write_text("no shard")
    assert not changes(before, before.again())
    shard.with_name(f"more{shard.suffix}").write_bytes(b"new")
    shard.write_bytes(shard.read_bytes() + b"more")
    found = changes(before, before.again())
    assert (len(found.added), len(found.other)) == (1, 1)


def test_a_column_of_any_type_says_the_split_and_the_label(tmp_path: Path) -> None:
    columns = {
        "part": pa.array(["train"] * 8 + ["valid", "test", "test", "test"]).dictionary_encode(),
        "kept": [True, False] * 6,
        "weight": [1.0, 2.0, 10.0] * 4,
        "image": pa.array(map(png, range(12)), pa.large_binary()),
    }
    write_parquet(tmp_path / "own.parquet", table(range(12), **columns))
    data = prepared(
        spec_of("parquet", tmp_path / "own.parquet", split="part", targets=("kept", "weight")), tmp_path / "out"
    )
    assert data.targets == {"kept": ["False", "True"], "weight": ["1", "2", "10"]}
    assert (data.val_indices.tolist(), numbers(data, "test")) == ([8], [9, 10, 11])


@pytest.mark.parametrize("both", [True, False], ids=["bytes and path", "path"])
@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_paths_lead_to_images_outside_which_are_watched(kind: str, both: bool, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    paths = [f"images/{number}.png" for number in range(4)]
    for number in range(4):
        (tmp_path / paths[number]).write_bytes(png(number))
    paths[0] = str(tmp_path / paths[0])
    image = pa.array(paths)
    if both:
        content = pa.array([None, None, png(2), None], pa.binary())
        image = pa.StructArray.from_arrays([content, image], ["bytes", "path"])
    write = write_parquet if kind == "parquet" else write_stream
    write(tmp_path / f"own.{kind}", table(range(4), image=image))
    spec = spec_of(kind, tmp_path, targets=("label",))
    assert numbers(prepared(spec, tmp_path / "out"), "train") == [0, 1, 2, 3]
    before = snapshot(spec.sources())
    assert len(before.names) == 1 + (3 if both else 4)
    (tmp_path / paths[1]).write_bytes(png(9) + b"more")
    assert changes(before, before.again()).other == (f"{tmp_path.name}/images/1.png",)


def test_one_of_several_shards_can_be_read_alone(tmp_path: Path) -> None:
    shard = write_parquet(tmp_path / "test-00001-of-00002.parquet", table(range(6)))
    assert numbers(prepared(spec_of("parquet", shard), tmp_path / "out"), "train") == list(range(6))


def test_feather_files_and_packed_tars_are_read(tmp_path: Path) -> None:
    with pa.OSFile(str(tmp_path / "own.feather"), "wb") as sink, pa.ipc.new_file(sink, table(range(6)).schema) as file:
        file.write_table(table(range(6)), max_chunksize=4)
    assert numbers(prepared(spec_of("arrow", tmp_path), tmp_path / "a"), "train") == list(range(6))
    write_tar(tmp_path / "own.tar.gz", [member for number in range(6) for member in sample(number)])
    assert numbers(prepared(spec_of("webdataset", tmp_path), tmp_path / "b"), "train") == list(range(6))


def test_members_that_are_no_samples_are_passed_over_and_one_of_several_images_is_chosen(tmp_path: Path) -> None:
    members = [("README", b"x"), ("._a.png", b"x"), ("__MACOSX/b.png", b"x"), (".hidden.png", b"x")]
    for number in range(4):
        members += [(f"{number}.left.PNG", png(number)), (f"{number}.right.png", png(9)), (f"{number}.txt", b"a\n")]
    write_tar(tmp_path / "own.tar", members)
    spec = spec_of("webdataset", tmp_path, image="left.png")
    assert numbers(prepared(spec, tmp_path / "out"), "train") == list(range(4))


def test_the_same_key_of_different_images_is_no_mistake(tmp_path: Path) -> None:
    """Many writers begin to count in each shard anew."""
    for split in ("train", "test"):
        members = [(f"{number}.png", png(number + (4 if split == "test" else 0))) for number in range(4)]
        write_tar(tmp_path / f"{split}.tar", members)
    assert numbers(prepared(spec_of("webdataset", tmp_path), tmp_path / "out"), "test") == [4, 5, 6, 7]


def test_damaged_images_are_skipped_and_named(tmp_path: Path) -> None:
    image = pa.array([png(0), None, b"no image", png(3), png(4)], pa.binary())
    write_parquet(tmp_path / "own.parquet", table(range(5), image=image))
    data = prepared(spec_of("parquet", tmp_path / "own.parquet", unreadable="skip"), tmp_path / "out")
    assert numbers(data, "train") == [0, 3, 4]
    assert data.manifest.splits["train"]["skipped"] == 2
    assert data.manifest.named["train"]["skipped"] == ["own.parquet: row 1", "own.parquet: row 2"]


def test_deep_and_heif_images_are_decoded_as_files_are(tmp_path: Path) -> None:
    """Both look into the file a second time."""
    deep, heif = io.BytesIO(), io.BytesIO()
    Image.fromarray(np.full((16, 16), 60_000, np.uint16)).save(deep, "PNG")
    pillow_heif.from_pillow(Image.new("RGB", (16, 16), (100,) * 3)).save(heif)
    contents = [deep.getvalue(), heif.getvalue(), png(3)]
    names = ["0.png", "1.heic", "2.png"]
    write_tar(tmp_path / "own.tar", zip(names, contents, strict=True))
    greys = np.asarray(prepared(spec_of("webdataset", tmp_path), tmp_path / "out").images("train")).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(greys, [233, 100, 60], atol=1.5)


@pytest.mark.parametrize("kind", WRITERS)
def test_shards_cannot_be_an_index(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="images inside shards are no files of their own"):
        spec_of(kind, tmp_path, storage="index")
