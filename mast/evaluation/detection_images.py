"""Prepared detection data as tensors."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset, RandomSampler

from mast.data.decode import decode_again
from mast.data.prepared.store import PreparedData
from mast.data.segmentation import object_mask
from mast.errors import MastError
from mast.settings import FULL, PixelRange

Target = dict[str, Tensor]
"""`boxes` float32 [n, 4] (x1, y1, x2, y2, pixels) and `labels` int64 [n], from 1; 0 is the background. With masks also
`masks`, uint8 [n, H, W] of 0 and 1.
"""

Example = tuple[Tensor, Target, int]


class DetectionImages(Dataset[Example]):
    """The images of one split with their objects, read from the prepared arrays or from where the images stay.

    Regions marked as crowds are not trained on; they only count in the evaluation (COCO's `iscrowd`). VOC's difficult
    objects are crowds in the evaluation but are trained on.
    """

    def __init__(self, task: PreparedData, split: str, annotated_only: bool = False, masks: bool = False) -> None:
        """Index the annotations; with `annotated_only` images without a box are left out.

        Raises:
            MastError: the dataset has no annotations, a category outside its classes, or, with `masks`, an object
                without segmentation.
        """
        self.place = task.path
        """Directory of the prepared data, for messages."""
        self._masks = masks
        self.classes = len(task.targets["box"]) if "box" in task.targets else 0
        self.coco: dict[str, Any] = task.annotations(split)
        stated = self.coco.get("range", FULL)
        self._levels: PixelRange = stated if isinstance(stated, str) else tuple(stated)
        self._pixels = task.images(split) if task.has_images(split) else None
        self._boxes: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in self.coco["annotations"]:
            if not 1 <= annotation["category_id"] <= self.classes:
                raise MastError(
                    f"{task.path}: {split} annotation {annotation['id']} has category {annotation['category_id']}, "
                    f"outside 1…{self.classes}; prepare the data again"
                )
            if masks and "segmentation" not in annotation:
                raise MastError(
                    f"{task.path}: {split} annotation {annotation['id']} has no segmentation; annotate every object's "
                    "mask, or choose a protocol with masks: false"
                )
            if not annotation["iscrowd"] or annotation.get("difficult"):
                self._boxes[annotation["image_id"]].append(annotation)
        images = self.coco["images"]
        self._images = [image for image in images if self._boxes[image["id"]]] if annotated_only else images

    def wide(self) -> list[bool]:
        """Return whether each image is wider than high."""
        return [image["width"] > image["height"] for image in self._images]

    @property
    def in_place(self) -> bool:
        """Whether each image has to be decoded from its own file."""
        return self._pixels is None

    def __len__(self) -> int:
        """Number of images."""
        return len(self._images)

    def __getitem__(self, position: int) -> Example:
        """Return the image, float32 [3, H, W] in [0, 1], its objects, and its id in the annotations.

        Raises:
            UnreadableImageError: its file is missing or damaged.
        """
        image = self._images[position]
        pixels = torch.from_numpy(self._read(image)).permute(2, 0, 1).float() / 255
        annotations = self._boxes[image["id"]]
        boxes = torch.tensor([box["bbox"] for box in annotations], dtype=torch.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = torch.tensor([box["category_id"] for box in annotations], dtype=torch.int64)
        target = {"boxes": boxes, "labels": labels}
        if self._masks:
            height, width = pixels.shape[1:]
            masks = [object_mask(annotation["segmentation"], width, height) for annotation in annotations]
            target["masks"] = torch.from_numpy(np.array(masks, np.uint8).reshape(-1, height, width))
        return pixels, target, image["id"]

    def _read(self, image: dict[str, Any]) -> np.ndarray:
        if self._pixels is not None:
            return np.array(self._pixels[image["id"]])
        file, upright = Path(self.coco["images_root"]) / image["file_name"], image.get("upright", False)
        return np.array(decode_again(file, upright, self._levels))


class ShuffledOrder(RandomSampler):
    """Positions in random order, of which the first `skip` are left out because their batches are done."""

    skip = 0

    def __iter__(self) -> Iterator[int]:
        """Draw the whole order, then leave out the first positions."""
        return islice(self.whole(), self.skip, None)

    def whole(self) -> Iterator[int]:
        """Return all positions in a newly drawn order."""
        return super().__iter__()


class GroupedOrder(ShuffledOrder):
    """Positions in random order, with either wide or high (and square) images in each batch of `batch_size`.

    A batch is returned when its last image is drawn. The remaining images of both kinds, too few for a whole batch of
    their kind, come at the end and share a batch. (DATALOADER.ASPECT_RATIO_GROUPING of detectron2, data/common.py,
    AspectRatioGroupedDataset, where they wait for those of the next epoch.)
    """

    def __init__(self, images: DetectionImages, batch_size: int, generator: torch.Generator) -> None:
        """Keep the images and the generator to draw from."""
        super().__init__(images, generator=generator)
        self._wide, self._batch_size = images.wide(), batch_size

    def whole(self) -> Iterator[int]:
        """Yield all positions in a newly drawn order, group by group."""
        waiting: dict[bool, list[int]] = {True: [], False: []}
        for position in super().whole():
            group = waiting[self._wide[position]]
            group.append(position)
            if len(group) == self._batch_size:
                yield from group
                group.clear()
        yield from waiting[True] + waiting[False]


class OwnRows:
    """The positions of one process in each batch."""

    def __init__(self, batches: BatchSampler, rows: slice) -> None:
        """Take `rows` of each of the `batches`."""
        self._batches, self._rows = batches, rows

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        """Positions of each batch."""
        return (batch[self._rows] for batch in self._batches)


def flipped(image: Tensor, target: Target) -> tuple[Tensor, Target]:
    """Mirror an image [3, H, W] and its objects left to right."""
    left, top, right, bottom = target["boxes"].unbind(dim=1)
    width = image.shape[-1]
    boxes = torch.stack([width - right, top, width - left, bottom], dim=1)
    mirrored = {"masks": target["masks"].flip(-1)} if "masks" in target else {}
    return image.flip(-1), {**target, **mirrored, "boxes": boxes}
