"""A detection dataset in COCO's format on disk, of two images, whose annotation files a test may change."""

import copy
import json
from pathlib import Path
from typing import Any

from PIL import Image

from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.coco import CocoData

Instances = dict[str, Any]

INSTANCES: Instances = {
    "images": [
        {"id": 7, "file_name": "a.png", "width": 20, "height": 10},
        {"id": 9, "file_name": "sub/b.png"},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 5, 4], "area": 12.5, "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 8, "bbox": [15, 5, 5.4, 5], "segmentation": [[15, 5, 20, 5, 20, 10]]},
        {"id": 5, "image_id": 9, "category_id": 3, "bbox": [0, 0, 20, 10], "iscrowd": 1},
    ],
    "categories": [{"id": 8, "name": "dog"}, {"id": 3, "name": "cat"}],
}


class Source:
    """Train and test alike."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.instances = {split: copy.deepcopy(INSTANCES) for split in ("train", "test")}
        for split in self.instances:
            (path / split / "sub").mkdir(parents=True)
            for name, colour in (("a.png", (255, 0, 0)), ("sub/b.png", (0, 0, 255))):
                Image.new("RGB", (20, 10), colour).save(path / split / name)

    def prepare(self, **settings: object) -> PreparedData:
        return self.prepare_these(self.instances, **settings)

    def prepare_these(self, instances_of: dict[str, Instances], **settings: object) -> PreparedData:
        for split, instances in instances_of.items():
            (self.path / f"{split}.json").write_text(json.dumps(instances))
        return self.prepare_as_it_is(**settings)

    def prepare_as_it_is(self, **settings: object) -> PreparedData:
        splits = {
            split: {"images": str(self.path / split), "annotations": str(self.path / f"{split}.json")}
            for split in self.instances
        }
        prepare("own", CocoData(kind="coco", **splits, **settings), self.path / "prepared")
        return open_prepared(self.path / "prepared")
