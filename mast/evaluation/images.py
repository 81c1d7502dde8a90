"""Labelled images of a task that a protocol trains on and is scored on."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mast.data.prepared.store import PreparedData
from mast.data.prepared.subset import Images, Subset
from mast.errors import MastError


@dataclass(frozen=True)
class LabelledImages:
    """One split of a task. Images are read when rows are accessed; labels are in memory."""

    train_images: Images
    """uint8 [N, H, W, 3]."""
    train_labels: np.ndarray
    """int64 [N, T]; column t belongs to the t-th target."""
    score_images: Images
    """uint8 [M, H, W, 3]."""
    score_labels: np.ndarray
    """int64 [M, T]."""


def labelled_images(task: PreparedData, split: Literal["test", "val"]) -> LabelledImages:
    """Return the images. `test`: train on train, score on test. `val`: train without the validation images, score on
    those.

    Raises:
        MastError: the task has no labels or no test split, labels outside their classes, or a target of one class.
    """
    check_task(task)
    _check_labels(task)
    images, labels = task.images("train"), task.labels("train")
    if split == "test":
        return LabelledImages(images, labels, task.images("test"), task.labels("test"))
    held_out = np.zeros(len(labels), dtype=bool)
    held_out[task.val_indices] = True
    fit, scored = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    return LabelledImages(Subset(images, fit), labels[fit], Subset(images, scored), labels[scored])


def check_task(task: PreparedData) -> None:
    """Raise MastError unless the task has labelled train and test images."""
    if not task.has("test"):
        raise MastError(f"{task.path}: dataset {task.name!r} has no test split; evaluation needs one")
    for split in ("train", "test"):
        if task.labels(split) is None:
            raise MastError(f"{task.path}: dataset {task.name!r} has no labels for {split}; evaluation needs them")


def _check_labels(task: PreparedData) -> None:
    for split in ("train", "test"):
        labels = task.labels(split)
        for column, (target, classes) in enumerate(task.targets.items()):
            wrong = (labels[:, column] < 0) | (labels[:, column] >= len(classes))
            if wrong.any():
                raise MastError(
                    f"{task.path}: {split} label {labels[wrong, column][0]} of target {target!r} is outside "
                    f"0…{len(classes) - 1}; prepare the data again"
                )
            if split == "train" and len(np.unique(labels[:, column])) < 2:
                raise MastError(
                    f"{task.path}: the training images of target {target!r} hold one class; at least 2 are needed"
                )


def part_count(size: int, norm_images: int) -> int:
    """Return the number of parts in which a batch is normalised, of at most `norm_images` images each and at least two.

    One image has no variance if an encoder's last features have one position. So an odd batch in pairs has one part of
    three.
    """
    return min(math.ceil(size / norm_images), max(1, size // 2))
