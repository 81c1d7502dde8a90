"""Annotated objects as readers of detection data find them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Split:
    """What the annotations of one split say, in COCO's terms, with the image entries keyed by id."""

    file: Path
    """The annotation file, or the directory of them, that messages about the whole split name."""
    root: Path
    """The images' `file_name` is relative to it."""
    names: dict[int, str]
    """Category id → class."""
    images: dict[int, dict[str, Any]]
    annotations: list[dict[str, Any]]

    def image_place(self, image: dict[str, Any]) -> str:
        """Where an image is described, for messages."""
        return f"{self.file}: image {image['id']} ({image['file_name']})"

    def annotation_place(self, annotation: dict[str, Any]) -> str:
        """Where an object is described, for messages."""
        image = self.images[annotation["image_id"]]
        return f"{self.file}: annotation {annotation['id']} (image {image['file_name']})"
