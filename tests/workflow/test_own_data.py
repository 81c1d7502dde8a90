"""A user's own image folder and COCO annotations pass through the whole workflow."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.projects import Project

pytestmark = pytest.mark.slow

CONFIG = """
name: own
results: results/own
datasets:
  photos: {{kind: folder, root: "{photos}", size: 24}}
  boxes:
    kind: coco
    train: {{images: "{boxes}/train", annotations: "{boxes}/train.json"}}
    test: {{images: "{boxes}/test", annotations: "{boxes}/test.json"}}
seeds: [0]
pretrain:
  dataset: photos
  encoder: {{name: resnet-narrow, stem: small, widths: [8, 8, 16, 16]}}
  projector: {{hidden: 16, output: 8}}
  optimizer: {{name: adamw, lr: 1.0e-3, warmup_epochs: 0}}
  epochs: 1
  batch_size: 8
runs:
  untrained: {{method: untrained}}
  mast: {{method: mast}}
protocols:
  linear: {{kind: linear-lbfgs, strengths: 2, tolerance: 1.0e-4}}
  detection: {{kind: detection, epochs: 1, batch_size: 2, fpn_channels: 8, head_channels: 16, min_size: 32,
              max_size: 48, anchor_sizes: [8, 12, 16, 24, 32], proposals: 20, rois: 8, warmup_steps: 1}}
studies:
  linear: {{title: Linear, protocol: linear, tasks: [photos], runs: [untrained, mast]}}
  detection: {{title: Detection, protocol: detection, tasks: [boxes], runs: [mast]}}
"""


def photograph(rng: np.random.Generator, brightness: int, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(rng.integers(brightness, brightness + 60, (*size[::-1], 3), dtype=np.uint8))


def write_photos(root: Path) -> None:
    """Two classes, dark and bright; every colour mode and many sizes; one name that a shell would trip over."""
    rng = np.random.default_rng(0)
    modes = {"RGB": "png", "L": "png", "P": "png", "RGBA": "webp", "CMYK": "jpg", "1": "png"}
    for split, count in (("train", 3), ("test", 1)):
        for name, brightness in (("dark", 0), ("bright $(touch no) 'quoted'", 190)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                for mode, suffix in modes.items():
                    size = tuple(int(side) for side in rng.integers(10, 60, 2))
                    photograph(rng, brightness, size).convert(mode).save(folder / f"{mode} {number}.{suffix}")


def write_boxes(root: Path) -> None:
    rng = np.random.default_rng(1)
    for split, count in (("train", 6), ("test", 2)):
        (root / split).mkdir(parents=True)
        images, annotations = [], []
        for number in range(count):
            picture = np.asarray(photograph(rng, 0, (48, 32))).copy()
            picture[8:24, 10:30] = 250
            Image.fromarray(picture).save(root / split / f"{number}.jpg")
            images.append({"id": number, "file_name": f"{number}.jpg", "width": 48, "height": 32})
            box = {"bbox": [10, 8, 20, 16], "area": 320, "iscrowd": 0}
            annotations.append({"id": number + 1, "image_id": number, "category_id": 7 + number % 2, **box})
        categories = [{"id": 7, "name": "even"}, {"id": 8, "name": "odd"}]
        values = {"images": images, "annotations": annotations, "categories": categories}
        (root / f"{split}.json").write_text(json.dumps(values))


@pytest.mark.xdist_group("own")
def test_own_images_and_boxes_become_tables(project: Project) -> None:
    photos, boxes = project.directory / "my photos", project.directory / "boxes"
    write_photos(photos)
    write_boxes(boxes)
    (project.directory / "config/own.yaml").write_text(CONFIG.format(photos=photos, boxes=boxes))
    run = project.snakemake("tables", "--configfile", "config/own.yaml")
    assert run.returncode == 0, run.stdout[-3000:]
    tables = project.directory / "results/own/tables"
    assert "| mast |" in (tables / "linear.md").read_text()
    assert "AP50" in (tables / "detection.md").read_text()
    manifest = json.loads((project.directory / "results/own/data/photos/manifest.json").read_text())
    assert manifest["splits"]["train"]["count"] == 36
    assert manifest["targets"]["class"] == ["bright $(touch no) 'quoted'", "dark"]
    assert not list(project.directory.rglob("no"))
