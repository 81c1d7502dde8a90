"""Semi-supervised evaluation: encoder and head fine-tuned on a share of the labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from mast.data.prepared.store import PreparedData
from mast.data.prepared.subset import Subset
from mast.data.readers import Place
from mast.errors import MastError
from mast.evaluation.images import LabelledImages, labelled_images, part_count
from mast.evaluation.inputs import EncoderInputs, Measured
from mast.evaluation.metrics import chance_levels, classification_metrics
from mast.evaluation.subset_list import listed_names, listed_positions
from mast.files import sha256_json
from mast.protocols import PlannedTask
from mast.protocols._sgd import SgdProtocol
from mast.settings import Count, NonNegative, Positive

if TYPE_CHECKING:
    from mast.checkpoint import Checkpoints

SIMCLR = "https://raw.githubusercontent.com/google-research/simclr/master/imagenet_subsets"
"""Address of the lists that facebookresearch/vicreg, evaluate.py, downloads."""


WHERE = f"SimCLR's lists are {SIMCLR}/1percent.txt and 10percent.txt; or leave subset_list out, to draw the images"
"""Source of the lists, for messages."""


class SemiProtocol(SgdProtocol):
    """Fine-tuning of encoder and head on a share of the labels, drawn for each class."""

    TINY: ClassVar[dict[str, Any]] = SgdProtocol.TINY | {"subset_list": None}

    fraction: Annotated[float, Field(gt=0, le=1)]
    """Share of each class's training images that keep their label, rounded, at least one image."""
    epochs: Count = 20
    lr_backbone: Positive
    """Learning rate of the encoder at the start."""
    weight_decay: NonNegative = 0.0
    norm_images: Annotated[int, Field(ge=2)] | None = 32
    """Number of images over which batch norm takes its statistics: the batch is split evenly into parts of at most this
    many (an odd batch in pairs has one part of three). Null: the whole batch. In the published code it is each GPU's
    share: 256 images on 8 GPUs.
    """
    subset_seed: int = 0
    """Seed of the draw of the labelled images: every encoder gets the same ones."""
    subset_list: Annotated[Annotated[str, Field(min_length=1)] | None, Place] = None
    """File with the names of the labelled images, one a line, used instead of the draw (docs/understand/protocols.md).
    The task needs `storage: index`; relative paths start at `data_root`.
    """

    @property
    def files(self) -> tuple[str, ...]:
        """The list of labelled images."""
        return () if self.subset_list is None else (self.subset_list,)

    @property
    def origin(self) -> str:
        """Return the source of the lists."""
        return WHERE

    def check(self, name: str, task: PlannedTask) -> None:
        """Check that the list of labelled images can be used; or that the labelled share fills one batch."""
        if self.subset_list is not None:
            _check_list(name, self.subset_list, task, self.batch_size)
            return
        for target, sizes in self.class_sizes(task, "fitted"):
            labelled = sum(max(1, round(self.fraction * size)) for size in sizes if size)
            if labelled < self.batch_size:
                raise MastError(
                    f"protocols.{name}.batch_size: {self.batch_size} is more than the {labelled} labelled images "
                    f"of target {target!r} of {task.name!r}; choose {labelled} or less"
                )

    def check_processes(self, name: str, processes: int) -> None:
        """Check that each process can get a part of a batch that batch norm treats as a whole."""
        super().check_processes(name, processes)
        if self.norm_images is None:
            return
        parts = part_count(self.batch_size, self.norm_images)
        if processes > parts:
            raise MastError(
                f"protocols.{name}.norm_images: {self.batch_size} images are normalised in {parts} part(s) of at most "
                f"{self.norm_images}, which {processes} processes cannot share; choose fewer GPUs and nodes, or null"
            )

    def evaluate(self, inputs: EncoderInputs) -> Measured | None:
        """Fine-tune on the labelled share of each target in turn.

        The protocol is VICReg's (evaluate.py and README): encoder and head trained together, batch norm in train mode
        over the share of a GPU, a learning rate for each, cosine schedule, random resized crop and flip. Each target
        starts from the encoder file and has its own subset, whose hash is recorded. It is scored after the last epoch.

        Raises:
            MastError: a list of labelled images does not fit the data.
        """
        images = labelled_images(inputs.task, self.split)
        metrics, subsets = {}, {}
        for column, (target, classes) in enumerate(inputs.task.targets.items()):
            chosen = self._labelled(inputs.task, images.train_labels[:, column])
            share = LabelledImages(
                Subset(images.train_images, chosen),
                images.train_labels[chosen, column : column + 1],
                images.score_images,
                images.score_labels[:, column : column + 1],
            )
            subsets[target] = {"count": len(chosen), "sha256": subset_hash(chosen)}
            checkpoints = inputs.saved(self, str(column), target=target, labelled=subsets[target]["sha256"])
            scores = finetune(self, inputs, share, len(classes), checkpoints)
            if scores is not None:
                metrics[target] = classification_metrics(scores, share.score_labels[:, 0])
        if not inputs.world.leads:
            return None
        counts = {"train": len(images.train_images), "test": len(images.score_images)}
        chance = chance_levels(inputs.task.targets, images.score_labels)
        return Measured(metrics, counts, {"labelled": subsets}, chance=chance)

    def _labelled(self, task: PreparedData, labels: np.ndarray) -> np.ndarray:
        """Return the positions of the images that keep their label: those of the list, or a share of each class."""
        if self.subset_list is None:
            return labelled_subset(labels, self.fraction, self.subset_seed)
        return listed_positions(Path(self.subset_list), task)

    @model_validator(mode="after")
    def _list_of_all_training_images(self) -> Self:
        if self.subset_list is not None and self.split == "val":
            raise ValueError("subset_list: names validation images too; set split to test, or leave the list out")
        return self


def labelled_subset(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return positions, int64 and ascending, of a share of each class in int [N]: rounded, at least one of each."""
    order = np.random.default_rng(seed).permutation(len(labels))
    members = [order[labels[order] == label] for label in np.unique(labels)]
    return np.sort(np.concatenate([own[: max(1, round(fraction * len(own)))] for own in members]))


def subset_hash(positions: np.ndarray) -> str:
    """Return the SHA-256 of the JSON list of positions, 64 hex digits."""
    return sha256_json(positions.tolist())


def finetune(
    spec: SemiProtocol, inputs: EncoderInputs, images: LabelledImages, classes: int, checkpoints: "Checkpoints"
) -> np.ndarray | None:
    """Fine-tune a fresh copy of the encoder with one head.

    Returns:
        Scores of the images to score, float32 [M, classes], in the first process; None in the others.
    """
    import torch

    from mast.evaluation.sgd import Backbone, HeadTraining, build_heads

    backbone = Backbone.load(inputs.encoder, inputs.seed, inputs.device, spec.norm_images, inputs.world)
    backbone.train()
    heads = build_heads(backbone, [classes])
    HeadTraining(inputs.protocol, spec, backbone, heads, images, inputs.seed, spec.lr_backbone).run(checkpoints)
    features = backbone.encode(images.score_images)
    if features is None:
        return None
    with torch.no_grad():
        return heads[0](features).cpu().numpy()


def _check_list(name: str, file: str, task: PlannedTask, batch_size: int) -> None:
    if not Path(file).is_file():
        if not task.here:  # both are missing, which `mast doctor` reports
            return
        raise MastError(f"protocols.{name}.subset_list: {file}: no such file; {WHERE}")
    if not task.keeps_names:
        raise MastError(
            f"protocols.{name}.subset_list: {task.name!r} keeps no file names; choose data with `storage: index`, or "
            "leave the list out"
        )
    key = f"protocols.{name}"
    try:
        listed = listed_names(Path(file))
    except MastError as error:
        raise MastError(f"{key}.subset_list: {error}") from None
    if len(listed) < batch_size:
        raise MastError(
            f"{key}.batch_size: {batch_size} is more than the {len(listed)} images that {file} names; choose "
            f"{len(listed)} or less"
        )
    known = task.names()
    if known is not None and (unknown := sorted(listed - known)):
        raise MastError(
            f"{key}.subset_list: {file}: {unknown[0].decode(errors='replace')!r} is no training image of "
            f"{task.name!r} ({len(unknown)} of {len(listed)} names are not); use the list that belongs to these data"
        )
