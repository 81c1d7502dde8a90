"""Prepared detection data as tensors."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, islice, tee
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset

from mast.data.decode import decode_again
from mast.data.prepared.store import PreparedData
from mast.data.segmentation import object_mask, outlines
from mast.errors import MastError
from mast.settings import FULL, PixelRange

Target = dict[str, Tensor]
"""`boxes` float32 [n, 4] (x1, y1, x2, y2, pixels) and `labels` int64 [n], from 1; 0 is the background. Where masks are
wanted also `masks`, uint8 [n, H, W] of 0 and 1. Where polygons are, too, `masks` are those of the objects without any,
in their order, and `outlines`, float64 [P, 4], the polygons of the others (`mast.data.segmentation.outlines`)."""

Example = tuple[Tensor, Target, int]


class DetectionImages(Dataset[Example]):
    """The images of one split with their objects, read from the prepared arrays or from where the images stay.

    Regions marked as crowds are not trained on; they only count in the evaluation (COCO's `iscrowd`). VOC's difficult
    objects are crowds in the evaluation but are trained on.
    """

    def __init__(
        self, task: PreparedData, split: str, annotated_only: bool = False, masks: bool = False, polygons: bool = False
    ) -> None:
        """Index the annotations.

        Args:
            task: the prepared data.
            split: `train` or `test`.
            annotated_only: leave out images without a box.
            masks: give the masks of the objects too.
            polygons: where masks are wanted, polygons stay as they are and are not drawn.

        Raises:
            MastError: the dataset has no annotations, a category outside its classes, or, with `masks`, an object
                without segmentation.
        """
        self.place = task.path
        """Directory of the prepared data, for messages."""
        self._masks, self._polygons = masks, polygons
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
            regions = [annotation["segmentation"] for annotation in annotations]
            if self._polygons:
                target["outlines"] = torch.from_numpy(outlines(regions))
                regions = [region for region in regions if isinstance(region, dict)]
            masks = [object_mask(region, width, height) for region in regions]
            target["masks"] = torch.from_numpy(np.array(masks, np.uint8).reshape(-1, height, width))
        return pixels, target, image["id"]

    def _read(self, image: dict[str, Any]) -> np.ndarray:
        if self._pixels is not None:
            return np.array(self._pixels[image["id"]])
        file, upright = Path(self.coco["images_root"]) / image["file_name"], image.get("upright", False)
        return np.array(decode_again(file, upright, self._levels))


class GroupedBatches:
    """Batches of positions without end, as detectron2's GPUs draw them together.

    Of a stream of shuffled images, epoch after epoch, each GPU takes every n-th (data/samplers/distributed_sampler.py,
    TrainingSampler). It collects wide images apart from high and square ones, and has a part of a batch when it has
    enough of either (data/common.py, AspectRatioGroupedDataset). A batch is the next part of each GPU.
    """

    def __init__(self, images: DetectionImages, batch_size: int, part: int, seed: int) -> None:
        """Batches of `batch_size`, in parts of `part`."""
        self._wide, self._batch_size, self._part, self._seed = images.wide(), batch_size, part, seed

    def __len__(self) -> int:
        """Number of batches that have as many images as there are."""
        return len(self._wide) // self._batch_size

    def __iter__(self) -> Iterator[list[int]]:
        """The same batches every time."""
        gpus = self._batch_size // self._part
        streams = tee(self._stream(), gpus)
        parts = [self._parts(islice(stream, gpu, None, gpus)) for gpu, stream in enumerate(streams)]
        return (list(chain(*batch)) for batch in zip(*parts, strict=True))

    def _stream(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed)
        while True:
            yield from torch.randperm(len(self._wide), generator=generator).tolist()

    def _parts(self, stream: Iterator[int]) -> Iterator[list[int]]:
        waiting: dict[bool, list[int]] = {True: [], False: []}
        for position in stream:
            group = waiting[self._wide[position]]
            group.append(position)
            if len(group) == self._part:
                yield group.copy()
                group.clear()


class OwnRows:
    """Of each batch of positions those that one process has, without the first `skip` batches."""

    skip = 0

    def __init__(self, batches: BatchSampler | GroupedBatches, rows: slice) -> None:
        """Take `rows` of each of the `batches`."""
        self._batches, self._rows = batches, rows

    def __len__(self) -> int:
        """Number of batches, whatever is left out."""
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        """Positions of each batch."""
        return (batch[self._rows] for batch in islice(self._batches, self.skip, None))


def flipped(image: Tensor, target: Target) -> tuple[Tensor, Target]:
    """Mirror an image [3, H, W] and its objects left to right."""
    left, top, right, bottom = target["boxes"].unbind(dim=1)
    width = image.shape[-1]
    boxes = torch.stack([width - right, top, width - left, bottom], dim=1)
    mirrored = {"masks": target["masks"].flip(-1)} if "masks" in target else {}
    if "outlines" in target:
        number, part, x, y = target["outlines"].unbind(dim=1)
        mirrored["outlines"] = torch.stack([number, part, width - x, y], dim=1)
    return image.flip(-1), {**target, **mirrored, "boxes": boxes}
