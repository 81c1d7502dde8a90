"""Every dataset of the paper's configurations, a few images each, in the official layouts below one directory."""

import json
import shutil
from pathlib import Path

from mast.data.settings import VOC_CLASSES
from support.layouts import CLASSES, LAYOUTS, picture, text

OWN_FOLDERS = ("imagenet", "places205", "inaturalist2018")
SHARED_FOLDER = (
    *("stl10", "cifar10", "cifar100", "food101", "mit67", "pets", "flowers102", "caltech101"),
    *("cars", "aircraft", "dtd", "sun397"),
)
OBJECT = "<object><name>{name}</name><difficult>0</difficult><bndbox>{box}</bndbox></object>"
BOX = "<xmin>3</xmin><ymin>3</ymin><xmax>12</xmax><ymax>10</ymax>"
PICTURE = "<size><width>14</width><height>12</height></size>"


def write_all(root: Path) -> None:
    """Write all datasets, with as many classes of ImageNet as top-5 accuracy needs."""
    write_sources(root)
    six_classes(root / "imagenet")


def write_sources(root: Path) -> None:
    for source in SHARED_FOLDER:
        LAYOUTS[source](root)
    for source in OWN_FOLDERS:
        LAYOUTS[source](root / source)
    coco(root / "coco")
    voc(root / "VOCdevkit")


def six_classes(root: Path) -> None:
    for folder in sorted(root.glob("*/n0000*")):
        shutil.copytree(folder, folder.with_name(folder.name.replace("n0000", "n0001")))


def coco(root: Path) -> None:
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    for split in ("train2017", "val2017"):
        images = [{"id": key, "file_name": f"{key:012d}.jpg"} for key in range(4)]
        for image in images:
            picture(root / split / image["file_name"], image["id"] % 3, "train")
        outline = [2, 2, 10, 2, 10, 9, 2, 9]
        annotations = [
            {"id": key, "image_id": key, "category_id": key % 3 + 1, "bbox": [2, 2, 8, 7], "segmentation": [outline]}
            for key in range(4)
        ]
        values = {"images": images, "annotations": annotations, "categories": categories}
        text(root / f"annotations/instances_{split}.json", [json.dumps(values)])


def voc(root: Path) -> None:
    for year, image_set in (("2007", "trainval"), ("2007", "test"), ("2012", "trainval")):
        folder = root / f"VOC{year}"
        images = [f"{image_set}{number:03d}" for number in range(10)]
        for number, image in enumerate(images):
            picture(folder / f"JPEGImages/{image}.jpg", number % 3, "train")
            box = OBJECT.format(name=VOC_CLASSES[number], box=BOX)
            text(folder / f"Annotations/{image}.xml", [f"<annotation>{PICTURE}{box}</annotation>"])
        main = folder / "ImageSets/Main"
        text(main / f"{image_set}.txt", images)
        for label, name in enumerate(VOC_CLASSES):
            shows = [f"{image} {1 if (number + label) % 3 == 0 else -1}" for number, image in enumerate(images)]
            text(main / f"{name}_{image_set}.txt", shows)
