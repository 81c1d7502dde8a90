"""Every public dataset, in its official layout, passes through its real reader to pretraining and evaluation."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.layouts import CLASSES, EACH, LAYOUTS, label_and_split, picture, split_list, text
from torchvision import datasets

from mast.cli import main
from mast.config.pretrain import PretrainSpec
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.public import UNLABELLED
from mast.data.sources.catalogue import SOURCES
from mast.evaluation.features import extract_features
from mast.evaluation.run import evaluate_features
from mast.pretraining.run import pretrain
from mast.protocols.knn import KnnProtocol
from mast.protocols.linear_lbfgs import LinearProtocol

OFFICIAL_VALIDATION = ("flowers102", "dtd", "aircraft")
IN_FILES = sorted(name for name in LAYOUTS if not name.startswith(("stl10", "cifar")))


def prepared(source: str, root: Path, output: Path, **settings: object) -> PreparedData:
    spec = {"kind": "public", "source": source, "root": str(root), "size": 16, "verify": False, **settings}
    arguments = ["--dataset", source, "--output", str(output), "--threads", "2"]
    assert main(["prepare", "--spec", json.dumps(spec), *arguments]) == 0
    return open_prepared(output)


def test_every_source_has_a_layout() -> None:
    assert set(LAYOUTS) == set(SOURCES)


def test_archives_have_the_checksums_that_torchvision_states() -> None:
    stated = {
        "stl10": {datasets.STL10.tgz_md5},
        "cifar10": {datasets.CIFAR10.tgz_md5},
        "cifar100": {datasets.CIFAR100.tgz_md5},
        "food101": {datasets.Food101._MD5},
        "flowers102": {md5 for _, md5 in datasets.Flowers102._file_dict.values()},
        "pets": {md5 for _, md5 in datasets.OxfordIIITPet._RESOURCES},
        "dtd": {datasets.DTD._MD5},
        "sun397": {datasets.SUN397._DATASET_MD5, None},
    }
    for source, md5s in stated.items():
        fetched = [archive for archive in SOURCES[source].archives if not archive.makes.startswith("augself/")]
        assert {archive.md5 for archive in fetched} == md5s, source


@pytest.mark.parametrize("source", sorted(set(LAYOUTS) - {"stl10-unlabeled", "caltech101"}))
def test_labels_splits_and_classes(source: str, tmp_path: Path) -> None:
    LAYOUTS[source](tmp_path / "root")
    data = prepared(source, tmp_path / "root", tmp_path / "data")
    data.verify()
    for split in ("train", "test"):
        said = [label_and_split(image) for image in np.asarray(data.images(split))]
        assert [label for label, _ in said] == data.labels(split)[:, 0].tolist()
        official = {"test": {"test"}, "train": {"train", "val"} if source in OFFICIAL_VALIDATION else {"train"}}
        assert {part for _, part in said} == official[split]
        if split == "train" and source in OFFICIAL_VALIDATION:
            assert [position for position, (_, part) in enumerate(said) if part == "val"] == data.val_indices.tolist()
    batches = 5 if source == "cifar10" else 1
    held_out = EACH["val"] if source in OFFICIAL_VALIDATION else 0
    assert data.count("train") == 3 * (batches * EACH["train"] + held_out) and data.count("test") == 3 * EACH["test"]
    assert 0 < len(data.val_indices) < data.count("train")


@pytest.mark.parametrize("source", ["food101", "stl10", "cifar100", "mit67", "inaturalist2018", "caltech101", "cars"])
def test_class_names(source: str, tmp_path: Path) -> None:
    LAYOUTS[source](tmp_path / "root")
    assert prepared(source, tmp_path / "root", tmp_path / "data").targets == {"class": list(CLASSES)}


def test_names_that_are_made_of_file_names(tmp_path: Path) -> None:
    for source, names in {
        "pets": [f"{name}_hound" for name in CLASSES],
        "sun397": [*CLASSES, "cow/indoor"],
        "aircraft": [f"Airline {name} 7/{label}" for label, name in enumerate(CLASSES)],
        "places205": [f"{name[0]}/{name}" for name in CLASSES],
    }.items():
        LAYOUTS[source](tmp_path / source)
        assert prepared(source, tmp_path / source, tmp_path / "data").targets["class"] == names


def test_stl10_to_pretrain_on_is_train_and_unlabeled_without_labels(tmp_path: Path) -> None:
    LAYOUTS["stl10"](tmp_path / "root")
    data = prepared("stl10-unlabeled", tmp_path / "root", tmp_path / "data")
    assert data.splits == ("train",) and data.labels("train") is None and data.targets == {}
    assert data.count("train") == 3 * EACH["train"] + 5
    assert (data.images("train")[-5:] == 7).all()


@pytest.mark.parametrize("source", ["stl10", "cifar10"])
def test_images_stand_upright(source: str, tmp_path: Path) -> None:
    """The layouts mark the lower left corner."""
    LAYOUTS[source](tmp_path / "root")
    corners = np.asarray(prepared(source, tmp_path / "root", tmp_path / "data").images("test"))[:, :: 16 - 1, :: 16 - 1]
    brightest = corners.astype(int).sum(-1).reshape(len(corners), 4).argmax(1)
    assert (brightest == 2).all()


def test_caltech_is_split_by_the_published_list(tmp_path: Path) -> None:
    LAYOUTS["caltech101"](tmp_path / "root")
    data = prepared("caltech101", tmp_path / "root", tmp_path / "data")
    train, test = (np.load(tmp_path / f"data/{split}_drawn.npy") for split in ("train", "test"))
    assert test.tolist() == [0, 1, 2, 33, 34, 35, 66, 67, 68]
    assert train[data.val_indices].tolist() == [*range(3, 8), *range(36, 41), *range(69, 74)]
    assert sorted([*train, *test]) == list(range(99))
    assert np.array_equal(train // 33, data.labels("train")[:, 0])
    assert {"train_drawn.npy", "test_drawn.npy", "val_indices.npy"} <= set(data.manifest.files)


def test_sun397_is_split_by_the_published_list(tmp_path: Path) -> None:
    LAYOUTS["sun397"](tmp_path / "root")
    assert prepared("sun397", tmp_path / "root", tmp_path / "data").val_indices.tolist() == [4, 7]


def test_a_reduced_copy_that_a_list_does_not_fit_is_drawn(tmp_path: Path) -> None:
    LAYOUTS["caltech101"](tmp_path / "root")
    LAYOUTS["sun397"](tmp_path / "root")
    split_list(tmp_path / "root/augself/caltech101.pth", range(25), range(25, 30), range(30, 100))
    split_list(tmp_path / "root/augself/sun397.pth", range(15_880), range(15_880, 19_850))
    data = prepared("caltech101", tmp_path / "root", tmp_path / "caltech")
    assert np.bincount(data.labels("train")[:, 0]).tolist() == [30, 30, 30]
    assert np.bincount(data.labels("train")[data.val_indices, 0]).tolist() == [5, 5, 5]
    assert len(prepared("sun397", tmp_path / "root", tmp_path / "sun").val_indices) == 2


@pytest.mark.parametrize("source", ["cifar10", "food101", "mit67", "pets", "stl10"])
def test_drawn_validation_splits_are_those_of_random_split(source: str, tmp_path: Path) -> None:
    """AugSelf (datasets.py) draws them by torch's random_split with the seeds of docs/use/public-datasets.md."""
    from mast.data.readers.public import validation_positions
    from mast.data.sources.source import Contents, Split

    sizes = {"cifar10": (45000, 5000, 43), "food101": (68175, 7575, 42), "mit67": (4690, 670, 51)}
    keep, hold, seed = (sizes | {"pets": (2940, 740, 49), "stl10": (4500, 500, 50)})[source]
    contents = Contents({"train": Split(np.zeros((keep + hold, 1, 1, 3), np.uint8), None)}, [])
    parts = torch.utils.data.random_split(range(keep + hold), [keep, hold], torch.Generator().manual_seed(seed))
    assert validation_positions(SOURCES[source], contents).tolist() == sorted(parts[1].indices)


def test_what_is_drawn_from_stands_in_augselfs_order(tmp_path: Path) -> None:
    """Images are sorted by class, then as listed (Food-101, whose list begins with `churros`) or by name (MIT-67,
    folders).
    """
    for source in ("food101", "mit67"):
        LAYOUTS[source](tmp_path / "root")
    listed = {name: [f"{name}/{number}" for number in (3, 0, 2, 1)] for name in ("cow", "ant", "bee")}
    for path in itertools.chain(*listed.values()):
        picture(tmp_path / f"root/food-101/images/{path}.jpg", 0, "train")
    text(tmp_path / "root/food-101/meta/train.json", [json.dumps(listed)])
    food, mit = (SOURCES[source].read(tmp_path / "root").splits["train"] for source in ("food101", "mit67"))
    names = [path.relative_to(tmp_path / "root/food-101/images").with_suffix("").as_posix() for path in food.images]
    assert names == [*listed["ant"], *listed["bee"], *listed["cow"]]
    folders = datasets.ImageFolder(tmp_path / "root/mit67/Images")
    read = [(str(path), int(label)) for path, label in zip(mit.images, mit.labels, strict=True)]
    assert read == [sample for sample in folders.samples if "/train " in sample[0]]


@pytest.mark.parametrize("source", IN_FILES)
def test_an_index_holds_what_arrays_hold(source: str, tmp_path: Path) -> None:
    LAYOUTS[source](tmp_path / "root")
    arrays = prepared(source, tmp_path / "root", tmp_path / "arrays")
    index = prepared(source, tmp_path / "root", tmp_path / "index", storage="index")
    index.verify()
    assert np.array_equal(index.val_indices, arrays.val_indices) and index.targets == arrays.targets
    assert (index.mean, index.std) == (arrays.mean, arrays.std)
    for split in arrays.splits:
        assert np.array_equal(index.labels(split), arrays.labels(split))
        assert np.array_equal(index.images(split)[:], arrays.images(split))
        assert (np.load(tmp_path / f"index/{split}_sizes.npy")[:, :2] == (14, 12)).all()


TWO_STEPS = PretrainSpec(
    dataset="any",
    method="vicreg",
    encoder={"name": "resnet-narrow", "stem": "small", "widths": [8, 16, 32, 64]},
    projector={"hidden": 16, "output": 16},
    optimizer={"name": "adamw", "lr": 1.0e-3, "warmup_epochs": 0},
    epochs=1,
    batch_size=2,
    log_every=1,
)


def pretrained(source: str, folder: Path) -> Path:
    """Prepared by the real reader, then pretrained on for two steps: the encoder's file."""
    storage = "index" if source in IN_FILES else "arrays"
    data = prepared(source, folder / "root", folder / "data", storage=storage)
    spec = TWO_STEPS.model_copy(update={"batch_size": data.count("train") // 2})
    pretrain(spec, "vicreg", 0, folder / "data", folder / "run", "cpu", 1)
    steps = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 2 and all(np.isfinite(step["loss"]) for step in steps)
    return folder / "run/encoder.safetensors"


@pytest.mark.slow
@pytest.mark.parametrize("source", sorted(set(LAYOUTS) - {"stl10-unlabeled"}))
def test_from_prepare_over_pretraining_to_scores(source: str, tmp_path: Path) -> None:
    LAYOUTS[source](tmp_path / "root")
    extract_features(pretrained(source, tmp_path), tmp_path / "data", tmp_path / "features.npz")
    linear = LinearProtocol(kind="linear-lbfgs", strengths=2, strength_range=(1e-4, 1e-2), tolerance=1e-6)
    evaluate_features("linear", linear, tmp_path / "features.npz", tmp_path / "linear.json")
    evaluate_features("knn", KnnProtocol(kind="knn", k=2), tmp_path / "features.npz", tmp_path / "knn.json")
    for file in ("linear.json", "knn.json"):
        assert json.loads((tmp_path / file).read_text())["metrics"]["class"]["top1"] > 60, "colours are easy"


@pytest.mark.slow
def test_unlabeled_images_are_pretrained_on(tmp_path: Path) -> None:
    LAYOUTS["stl10-unlabeled"](tmp_path / "root")
    assert pretrained("stl10-unlabeled", tmp_path).is_file()


def test_which_public_sources_have_no_labels() -> None:
    assert {name for name, source in SOURCES.items() if source.classes == 0} == set(UNLABELLED)
    assert {name for name, source in SOURCES.items() if "test" not in source.counts} == set(UNLABELLED)
