"""Tiny datasets in the official layouts. The colour of each image encodes its label (red) and its split (green)."""

import json
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.io import savemat

CLASSES = ("ant", "bee", "cow")
GREEN = {"train": 100, "val": 104, "test": 108}
EACH = {"train": 4, "val": 2, "test": 2}
"""Images of each class in each split."""


def colour(label: int, split: str) -> tuple[int, int, int]:
    return 60 * (label + 1), GREEN[split], (60, 180, 60)[label]


def label_and_split(image: np.ndarray) -> tuple[int, str]:
    """Return the label and split encoded in a decoded image, uint8 [H, W, 3]."""
    red, green = image.reshape(-1, 3).mean(0)[:2]
    split = min(GREEN, key=lambda name: abs(GREEN[name] - green))
    return round(red / 60) - 1, split


def ramp(label: int, split: str, width: int, height: int) -> np.ndarray:
    """The colour, darker to the left and lighter to the right: uint8 [height, width, 3]."""
    light = np.linspace(-40, 40, width)[None, :, None]
    return np.broadcast_to(light + colour(label, split), (height, width, 3)).astype(np.uint8)


def picture(path: Path, label: int, split: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ramp(label, split, 14, 12)).save(path)


def numbered(split: str, classes: Sequence[str] = CLASSES) -> list[tuple[int, str, int]]:
    """(label, class name, number) of each image, classes interleaved."""
    return [(label, name, number) for number in range(EACH[split]) for label, name in enumerate(classes)]


def text(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def stl10(root: Path) -> None:
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        labels = [label for label, _, _ in numbered(split)]
        columns_first = np.stack([ramp(label, split, 96, 96).transpose(2, 1, 0) for label in labels])
        columns_first[:, :, :9, -9:] = 255  # stored by columns: first columns, last rows
        columns_first.tofile(folder / f"{split}_X.bin")
        (np.array(labels, np.uint8) + 1).tofile(folder / f"{split}_y.bin")
    np.full((5, 3, 96, 96), 7, np.uint8).tofile(folder / "unlabeled_X.bin")
    text(folder / "class_names.txt", CLASSES)
    text(folder / "fold_indices.txt", ["0 1"])


def _cifar(folder: Path, batches: dict[str, str], meta: str, labels_key: str, classes_key: str) -> None:
    folder.mkdir(parents=True)
    for name, split in batches.items():
        labels = [label for label, _, _ in numbered(split)]
        images = np.stack([ramp(label, split, 32, 32).transpose(2, 0, 1) for label in labels])
        images[:, :, -3:, :3] = 255
        with (folder / name).open("wb") as file:
            pickle.dump({"data": images.reshape(len(labels), 3072), labels_key: labels}, file)
    with (folder / meta).open("wb") as file:
        pickle.dump({classes_key: list(CLASSES)}, file)


def cifar10(root: Path) -> None:
    batches = {f"data_batch_{number}": "train" for number in range(1, 6)} | {"test_batch": "test"}
    _cifar(root / "cifar-10-batches-py", batches, "batches.meta", "labels", "label_names")


def cifar100(root: Path) -> None:
    _cifar(root / "cifar-100-python", {"train": "train", "test": "test"}, "meta", "fine_labels", "fine_label_names")


def food101(root: Path) -> None:
    for split in ("train", "test"):
        listed = {}
        for label, name, number in numbered(split):
            listed.setdefault(name, []).append(f"{name}/{split}{number}")
            picture(root / "food-101/images" / name / f"{split}{number}.jpg", label, split)
        text(root / f"food-101/meta/{split}.json", [json.dumps(listed)])


def flowers102(root: Path) -> None:
    folder, labels, ids = root / "flowers-102", [], {}
    for split in ("test", "train", "val"):  # the identifiers of the official splits are mixed, too
        for label, _, _ in numbered(split):
            labels.append(label + 1)
            ids.setdefault(split, []).append(len(labels))
            picture(folder / f"jpg/image_{len(labels):05d}.jpg", label, split)
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels], np.uint8)})
    savemat(folder / "setid.mat", {"trnid": [ids["train"]], "valid": [ids["val"]], "tstid": [ids["test"]]})


def pets(root: Path) -> None:
    folder = root / "oxford-iiit-pet"
    for split, file in (("train", "trainval"), ("test", "test")):
        rows = [(f"{name}_hound_{split}{number}", label) for label, name, number in numbered(split)]
        for name, label in rows:
            picture(folder / f"images/{name}.jpg", label, split)
        text(folder / f"annotations/{file}.txt", [f"{name} {label + 1} 1 {label + 1}" for name, label in rows])


def dtd(root: Path) -> None:
    for split in EACH:
        paths = [f"{name}/{name}_{split}{number}.jpg" for _, name, number in numbered(split)]
        for path, (label, _, _) in zip(paths, numbered(split), strict=True):
            picture(root / "dtd/dtd/images" / path, label, split)
        text(root / f"dtd/dtd/labels/{split}1.txt", paths)


def aircraft(root: Path) -> None:
    data = root / "fgvc-aircraft-2013b/data"
    variants = [f"Airline {name} 7/{label}" for label, name in enumerate(CLASSES)]
    for split in EACH:
        rows = [(f"{GREEN[split]}{number}{label}", label) for label, _, number in numbered(split)]
        for name, label in rows:
            picture(data / f"images/{name}.jpg", label, split)
        text(data / f"images_variant_{split}.txt", [f"{name} {variants[label]}" for name, label in rows])
    text(data / "variants.txt", variants)


def cars(root: Path) -> None:
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    kind = [("class", "u1"), ("fname", "O")]
    for split, file in (("train", "devkit/cars_train_annos"), ("test", "cars_test_annos_withlabels")):
        rows = [(label + 1, f"{number}{label}.jpg") for label, _, number in numbered(split)]
        for label, name in rows:
            picture(folder / f"cars_{split}" / name, label - 1, split)
        savemat(folder / f"{file}.mat", {"annotations": np.array(rows, dtype=kind)})
    savemat(folder / "devkit/cars_meta.mat", {"class_names": np.array(CLASSES, dtype=object)})


def split_list(path: Path, *parts: Sequence[int]) -> None:
    """Positions in the form in which AugSelf publishes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tuple(list(part) for part in parts), path)


def caltech101(root: Path) -> None:
    """33 images of each class: the list has 3 to test on, then 5 to validate, and 25. Their colour is that of test."""
    folder = root / "caltech101/101_ObjectCategories"
    for label, name in enumerate(CLASSES):
        for number in range(1, 34):
            picture(folder / name / f"image_{number:04d}.jpg", label, "test")
    picture(folder / "BACKGROUND_Google/image_0001.jpg", 2, "test")
    of_each = np.arange(99).reshape(3, 33)[::-1]
    parts = (of_each[:, 8:], of_each[:, 3:8], of_each[:, :3])
    split_list(root / "augself/caltech101.pth", *(part.ravel().tolist() for part in parts))


def sun397(root: Path) -> None:
    classes = [f"/{name[0]}/{name}" for name in CLASSES] + ["/c/cow/indoor"]
    text(root / "SUN397/ClassName.txt", classes)
    for split, file in (("train", "Training_01"), ("test", "Testing_01")):
        paths = [(f"{name}/sun_{split}{number}.jpg", label) for label, name, number in numbered(split, classes[:3])]
        for path, label in paths:
            picture(root / f"SUN397{path}", label, split)
        text(root / f"SUN397/{file}.txt", [path for path, _ in paths])
    split_list(root / "augself/sun397.pth", [11, 0, 1, 2, 3, 5, 6, 8, 9, 10], [7, 4])


def mit67(root: Path) -> None:
    for split in ("train", "test"):
        paths = [(f"{name}/{split} {number}.jpg", label) for label, name, number in numbered(split)]
        for path, label in paths:
            picture(root / "mit67/Images" / path, label, split)
        text(root / f"mit67/{split.title()}Images.txt", [path for path, _ in paths])


def imagenet(root: Path) -> None:
    for split, folder in (("train", "train"), ("test", "val")):
        for label, name, number in numbered(split):
            path = root / folder / f"n0000{label}" / f"{name}_{number}.JPEG"
            picture(path.with_suffix(".jpeg"), label, split)
            path.with_suffix(".jpeg").rename(path)


def places205(root: Path) -> None:
    for split, file in (("train", "train"), ("test", "val")):
        rows = [(f"{name[0]}/{name}/gsun_{split}{number}.jpg", label) for label, name, number in numbered(split)]
        for path, label in rows:
            picture(root / "images256" / path, label, split)
        text(root / f"{file}_places205.csv", [f"{path} {label}" for path, label in rows])


def inaturalist2018(root: Path) -> None:
    for split, file in (("train", "train"), ("test", "val")):
        images, annotations = [], []
        for identifier, (label, _, number) in enumerate(numbered(split)):
            name = f"train_val2018/Insecta/{label}/{split}{number}.jpg"
            picture(root / name, label, split)
            images.append({"id": identifier, "file_name": name})
            annotations.insert(0, {"id": identifier, "image_id": identifier, "category_id": label})
        categories = [{"id": label, "name": name} for label, name in enumerate(CLASSES)]
        values = {"images": images, "annotations": annotations, "categories": categories}
        text(root / f"{file}2018.json", [json.dumps(values)])


LAYOUTS = {
    "stl10": stl10,
    "stl10-unlabeled": stl10,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "food101": food101,
    "flowers102": flowers102,
    "pets": pets,
    "dtd": dtd,
    "aircraft": aircraft,
    "cars": cars,
    "caltech101": caltech101,
    "sun397": sun397,
    "mit67": mit67,
    "imagenet": imagenet,
    "imagenet100": imagenet,
    "places205": places205,
    "inaturalist2018": inaturalist2018,
}
