"""Images that stay in place are decoded on demand, ahead of the trainer, with constant memory."""

import tracemalloc
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from mast.augment.settings import PolicySpec
from mast.config.pretrain import PretrainSpec
from mast.data.crops import CropBoxes, crops
from mast.data.decode import UnreadableImageError
from mast.data.prepare import prepare
from mast.data.prepared.batches import TrainingBatches
from mast.data.prepared.index import IndexedImages
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.prepared.subset import Images, Subset
from mast.data.prepared.writer import Writer
from mast.data.readers.folder import FolderData
from mast.distributed import World
from mast.errors import MastError
from mast.evaluation.images import labelled_images
from mast.pretraining.run import pretrain
from mast.pretraining.trainee import shares
from mast.protocols._semi import labelled_subset
from mast.records import Index

TINY = PretrainSpec(
    dataset="own",
    method="vicreg",
    encoder={"name": "resnet-narrow", "stem": "small", "widths": [8, 4, 4, 4]},
    projector={"hidden": 8, "output": 8},
    epochs=2,
    batch_size=8,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Unlabeled images; the grey level of each is its position."""
    root = tmp_path / "images"
    root.mkdir()
    for level in range(24):
        Image.new("L", (12, 9), level).save(root / f"{level:03d} größe.png")
    return root


@pytest.fixture
def images(root: Path) -> IndexedImages:
    paths = np.array([path.name.encode() for path in sorted(root.iterdir())])
    return IndexedImages(root, paths, size=6, threads=2)


def levels(values: np.ndarray) -> list[int]:
    return values[:, 0, 0, 0].tolist()


def test_like_an_array(images: IndexedImages) -> None:
    assert images.shape == (24, 6, 6, 3) and len(images) == 24 and images.ndim == 4
    assert images[3:6].shape == (3, 6, 6, 3) and images[3:6].dtype == np.uint8
    assert levels(images[np.array([7, 0, 23, 7])]) == [7, 0, 23, 7]
    assert levels(images[20:99]) == [20, 21, 22, 23]


def test_subsets_of_subsets(images: IndexedImages) -> None:
    part = Subset(Subset(images, np.array([9, 4, 17, 2])), np.array([3, 1]))
    assert part.shape == (2, 6, 6, 3) and levels(part[:]) == [2, 4] and levels(part[np.array([1])]) == [4]


@pytest.mark.parametrize("positions", [np.arange(24), np.array([20, 3, 7, 1, 11, 0, 19])])
def test_batches_are_those_of_an_array(images: IndexedImages, positions: np.ndarray) -> None:
    array, decoded = (
        TrainingBatches(source, None, 5, seed=3) for source in (images[positions], Subset(images, positions))
    )
    for epoch in range(2):
        for step in range(array.steps_per_epoch):
            assert torch.equal(array.batch(epoch, step)[0], decoded.batch(epoch, step)[0])


def test_resuming_anywhere_gives_the_same_batches(images: IndexedImages) -> None:
    running = TrainingBatches(images, None, 5, seed=1)
    whole = {(epoch, step): running.batch(epoch, step)[0] for epoch in range(2) for step in range(4)}
    for start in ((0, 2), (1, 0), (1, 3)):
        resumed = TrainingBatches(images, None, 5, seed=1)
        for key in (key for key in whole if key >= start):
            assert torch.equal(resumed.batch(*key)[0], whole[key])


@pytest.mark.parametrize(("processes", "accumulate"), [(2, 1), (3, 1), (2, 3), (1, 4)])
@pytest.mark.parametrize("start", [0, 1])
def test_processes_decode_each_image_of_an_epoch_once(
    processes: int, accumulate: int, start: int, images: IndexedImages
) -> None:
    """The same holds for runs that resume from step `start`. Each process has its own loader."""
    spec = TINY.model_copy(update={"batch_size": 12, "accumulate": accumulate})
    seen = []
    for rank in range(processes):
        batches = TrainingBatches(images, None, spec.batch_size, seed=1)
        for step, share in product(range(start, 2), shares(spec, World(rank, processes))):
            seen += batches.batch(0, step, share)[0][:, 0, 0, 0].tolist()
    order = TrainingBatches(images, None, spec.batch_size, seed=1)
    assert sorted(seen) == sorted(row for step in range(start, 2) for row in order.indices(0, step).tolist())


def test_the_next_batch_is_decoded_meanwhile(images: IndexedImages, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = IndexedImages.__getitem__
    monkeypatch.setattr(
        IndexedImages,
        "__getitem__",
        lambda self, rows: (asked.append(len(rows)) if self is images else None) or original(self, rows),
    )
    batches = TrainingBatches(images, None, 4, seed=0)
    for step in range(3):
        batches.batch(0, step)
    batches._ahead.shutdown()
    assert len(asked) == 4, "each batch once, and one ahead"


def test_damaged_file_is_named_when_it_is_decoded(images: IndexedImages, root: Path) -> None:
    file = root / "005 größe.png"
    file.write_bytes(file.read_bytes()[:45])
    with pytest.raises(UnreadableImageError, match="005 größe"):
        TrainingBatches(images, None, 24, seed=0).batch(0, 0)


def folder(root: Path, **settings: object) -> FolderData:
    return FolderData(kind="folder", root=str(root), size=8, storage="index", **settings)


def test_folders_are_indexed_in_place(root: Path, tmp_path: Path) -> None:
    prepare("own", folder(root), tmp_path / "data")
    data = open_prepared(tmp_path / "data")
    data.verify()
    assert levels(data.images("train")[:]) == list(range(24))
    assert data.mean == pytest.approx([np.arange(24).mean() / 255] * 3, abs=1e-5)
    assert data.manifest.index == Index(root=str(root), size=8)
    assert not list((tmp_path / "data").glob("*_images.npy"))


def test_files_that_are_no_images_stop_or_are_skipped(root: Path, tmp_path: Path) -> None:
    (root / "005 größe.png").write_text("no image")
    with pytest.raises(MastError, match=r"005 größe\.png: cannot be read as an image .* set unreadable: skip"):
        prepare("own", folder(root), tmp_path / "data")
    prepare("own", folder(root, unreadable="skip"), tmp_path / "data")
    data = open_prepared(tmp_path / "data")
    assert data.manifest.splits["train"] == {"count": 23, "skipped": 1}
    assert levels(data.images("train")[4:6]) == [4, 6]


def test_changes_and_moves_are_noticed(root: Path, tmp_path: Path) -> None:
    prepare("own", folder(root), tmp_path / "data")
    with (root / "005 größe.png").open("ab") as file:
        file.write(b"more")
    with pytest.raises(MastError, match=r"005 größe\.png: has changed"):
        open_prepared(tmp_path / "data").verify()
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(MastError, match="images: missing; the images of 'own' are decoded from there"):
        open_prepared(tmp_path / "data").images("train")


@pytest.mark.parametrize("exif", ["upright", "stored"])
def test_crops_are_turned_as_whole_images_are(tmp_path: Path, exif: str) -> None:
    turned, root = Image.Exif(), tmp_path / "images"
    turned[0x112] = 6
    root.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(pixels).save(root / name, exif=turned)
    prepare("own", folder(root, exif=exif), tmp_path / "data")
    images, upright = open_prepared(tmp_path / "data").images("train"), exif == "upright"
    assert images.sizes(np.array([0])).tolist() == [[20, 30] if upright else [30, 20]]
    boxes = np.array([[0, 0, 0.5, 0.5], [0.5, 0, 0.5, 1]], np.float32)
    wanted = CropBoxes(np.concatenate((np.ones((2, 1), np.float32), boxes), axis=1)[:, None], "bilinear")
    found = images.crops(np.array([0]), wanted)[:, 0]
    assert np.array_equal(found, np.stack(crops(root / "a.png", boxes, 8, "bilinear", upright)))


@pytest.mark.slow
def test_training_on_an_index_gives_the_weights_of_training_on_arrays(root: Path, tmp_path: Path) -> None:
    """Without crops; crops of an index are cut from its files."""
    spec = TINY.model_copy(update={"policy": PolicySpec(augmentations=("flip", "jitter"))})
    for storage in ("index", "arrays"):
        prepare("own", folder(root).model_copy(update={"storage": storage}), tmp_path / f"data {storage}")
        pretrain(spec, "vicreg", 0, tmp_path / f"data {storage}", tmp_path / storage, "cpu", 1)
    index, arrays = (load_file(tmp_path / storage / "encoder.safetensors") for storage in ("index", "arrays"))
    assert all(torch.equal(index[name], arrays[name]) for name in arrays)


def big_index(root: Path, output: Path, count: int) -> PreparedData:
    """An index of `count` entries in train, which are the images of `root` again and again, and two in test."""
    names = np.array([path.name.encode() for path in sorted(root.iterdir())])
    with Writer(output) as writer:
        for split, entries in (("train", count), ("test", 2)):
            writer.array(f"{split}_paths.npy", np.resize(names, entries))
            writer.array(f"{split}_sizes.npy", np.zeros((entries, 3), np.int64))
            writer.array(f"{split}_labels.npy", np.arange(entries)[:, None] % 2)
            writer.count(split, entries)
        writer.array("val_indices.npy", np.arange(0, count, 100))
        index = Index(root=str(root), size=8)
        writer.finish("big", {}, "", "", {"class": ["a", "b"]}, [0.5] * 3, [0.5] * 3, index)
    return open_prepared(output)


def whole(data: PreparedData) -> Images:
    return data.images("train")


def without_validation(data: PreparedData) -> Images:
    return labelled_images(data, "val").train_images


def a_tenth(data: PreparedData) -> Subset:
    images = labelled_images(data, "test")
    return Subset(images.train_images, labelled_subset(images.train_labels[:, 0], 0.1, 0))


def memory_of_training(data: PreparedData, chosen: Callable[[PreparedData], Images]) -> int:
    """Peak of what Python and numpy allocate to choose images and serve three batches, bytes."""
    tracemalloc.start()
    batches = TrainingBatches(chosen(data), None, 16, seed=0)
    for step in (0, 1, batches.steps_per_epoch - 1):
        batches.batch(0, step)
    batches._ahead.shutdown()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(("chosen", "numbers"), [(whole, 2), (without_validation, 4), (a_tenth, 4)])
def test_an_index_of_a_whole_imagenet_takes_a_few_numbers_an_image(
    chosen: Callable[[PreparedData], Images], numbers: int, root: Path, tmp_path: Path
) -> None:
    """1.3 million entries: the order of an epoch (two at their border), positions and labels; never an image more."""
    few, many = (
        memory_of_training(big_index(root, tmp_path / f"{count}", count), chosen) for count in (1_000, 1_300_000)
    )
    assert many - few < numbers * 8 * 1_300_000 + 1_000_000
