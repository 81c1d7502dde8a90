"""Detection transfer: train Faster or Mask R-CNN on an encoder, and score its average precision on the test images."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mast.data.prepared.store import PreparedData
from mast.errors import MastError
from mast.evaluation.inputs import EncoderInputs, Measured
from mast.memory import memory_for
from mast.protocols import PlannedTask, Protocol
from mast.settings import Count, NonNegative, Positive, Precision

if TYPE_CHECKING:
    from torch import nn

FIRST_FALL = 3 / 4
"""First time that the learning rate falls, as a share of training (STEPS of `mast.evaluation.detection_optimizer`)."""


class DetectionProtocol(Protocol):
    """Faster or Mask R-CNN, with FPN or C4, on the pretrained encoder; COCO's or VOC07's AP on the test split."""

    VERSION = 3
    READS = "scenes"
    SHOWN = ("AP", "AP50", "AP75")
    CHOICES = ()
    AVERAGED = False
    UNIT = "Average precision"
    CAPTION = (
        "Detection transfer: the encoder becomes the backbone of a Faster R-CNN, or, where masks are scored too, of a "
        "Mask R-CNN. AP is the mean over overlaps from 0.50 to 0.95; AP50 and AP75 are those at one overlap, COCO's "
        "unless the table says VOC07's. Published values are those of the R50-C4 detector unless they say otherwise; "
        "a detector with FPN deviates from it."
    )
    LATER: ClassVar[dict[str, Any]] = {
        "precision": "fp32",
        "architecture": "fpn",
        "precise_batches": 200,
        "warmup_factor": 0.001,
        "rpn_weight": 1.0,
        "gpu_images": 2,
    }
    TINY: ClassVar[dict[str, Any]] = {
        **{"precision": "fp32", "epochs": 1, "steps": None, "decay_steps": None, "batch_size": 2, "warmup_steps": 1},
        **{"gpu_images": 2, "fpn_channels": 16, "head_channels": 32, "mask_channels": 16},
        **{"min_size": 64, "max_size": 64, "train_sizes": []},
        **{"anchor_sizes": [8, 16, 24, 32, 48], "proposals": 50, "rois": 16, "precise_batches": 2},
    }

    kind: Literal["detection"]
    architecture: Literal["fpn", "c4"] = "fpn"
    """`fpn`: torchvision's detector, with a feature pyramid on the encoder's four stages. `c4`: the detector of
    published values if the encoder is a ResNet-50: proposals from the third stage, heads on the fourth, with the
    losses, resizing and batches of detectron2 and the normalisation that facebookresearch/moco adds.
    """
    backbone: Literal["frozen", "finetuned"] = "finetuned"
    """Whether the encoder is trained with the detector (`finetuned`) or stays as it is (`frozen`)."""
    batch_norm: Literal["batch", "encoder"] = "batch"
    """Statistics with which the batch norm of a fine-tuned encoder normalises. `batch`: those of each batch, which has
    to be large enough. `encoder`: those of the encoder file, which do not change. Scale and shift are trained in both
    cases.
    """
    masks: bool = False
    """Whether to segment each object too (Mask R-CNN), with AP of boxes and of masks. Every annotation then needs a
    segmentation.
    """
    score: Literal["coco", "voc07"] = "coco"
    """`coco`: COCO's AP, also by the size of objects. `voc07`: VOC 2007's 11-point AP of boxes, as in published numbers
    on VOC07.
    """
    epochs: Count = 12
    """Length of training in epochs; not used if `steps` is given."""
    steps: Count | None = None
    """Length of training in steps, used instead of `epochs`."""
    batch_size: Count = 16
    """Images per step. `fpn`: the last short batch of an epoch is dropped. `c4`: one epoch runs into the next."""
    gpu_images: Count = 2
    """`c4` only: images of a batch that belong together, as those of a GPU of the reference do, two of sixteen: all are
    wide, or all are high or square; they are padded to the largest of them; losses are means over their regions, and
    then over the parts. The number of GPUs here is another matter; each has whole parts."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """torch's `SGD` with momentum 0.9, or `AdamW`."""
    lr: Positive = 0.02
    """Learning rate after the warm-up; it does not depend on `batch_size`."""
    decay_steps: tuple[Count, ...] | None = None
    """Steps after which the learning rate falls tenfold; null: 3/4 and 11/12 of training, as on VOC."""
    weight_decay: NonNegative = 1e-4
    """Weight decay, not applied to the scale and shift of normalisation."""
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    """Number of steps in which the learning rate rises linearly: 100 on VOC, 1,000 on COCO."""
    warmup_factor: Annotated[float, Field(gt=0, le=1)] = 0.001
    """First learning rate, as a share of `lr`."""
    fpn_channels: Count = 256
    """`fpn` only: number of channels of the feature pyramid."""
    head_channels: Count = 1024
    """`fpn` only: width of the box head."""
    mask_channels: Count = 256
    """`masks` only: width of the mask head, of four convolutions (`fpn`) or one (`c4`)."""
    min_size: Count = 800
    """Short side to which images are resized, pixels."""
    train_sizes: tuple[Count, ...] = ()
    """Short sides of the training images, one of which is drawn for each image; empty: `min_size`."""
    max_size: Count = 1333
    """Largest long side of a resized image, pixels; images that would be longer are made smaller."""
    anchor_sizes: Annotated[tuple[Count, ...], Field(min_length=5, max_length=5)] = (32, 64, 128, 256, 512)
    """Side of the anchors, pixels. `fpn`: one for each feature level (four stages, then the pooled fifth). `c4`: all
    sizes are used on the third stage.
    """
    proposals: Count = 1000
    """Number of regions proposed per image in the evaluation; twice as many in training. `c4` chooses them from six
    times as many, `fpn` from as many on each level.
    """
    rpn_weight: Positive = 1.0
    """`c4` only: weight of the two losses of region proposals, relative to those of the heads."""
    rois: Count = 512
    """Number of proposals per image on which the box head is trained."""
    precision: Precision = "fp32"
    """Autocast type of the detector in training; scored detections are computed in float32."""
    precise_batches: Annotated[int, Field(ge=0)] = 200
    """`c4` only: number of training batches over which the statistics of batch norm are recomputed after training
    (PRECISE_BN of detectron2); 0 keeps the running ones.
    """

    @property
    def version(self) -> int:
        """Since version 4 VOC07's score rounds boxes and scores; since 5 `c4` is trained as on detectron2's GPUs."""
        return 5 if self.architecture == "c4" else self.VERSION + (self.score == "voc07")

    @property
    def note(self) -> str:
        """Return a description of the detector."""
        model = "Mask R-CNN" if self.masks else "Faster R-CNN"
        encoder = ", on a frozen encoder" if self.backbone == "frozen" else ", the encoder fine-tuned"
        score = "VOC07's 11-point AP" if self.score == "voc07" else "COCO's AP"
        if self.architecture == "c4":
            detector = f"{model} with its heads on the encoder's fourth stage (C4, after detectron2){encoder}"
        else:
            deviation = "a deviation from the R50-C4 protocol (detectron2) of published values"
            detector = f"torchvision's {model} with FPN{encoder}: {deviation}"
        return f"The detector is {detector}. The score is {score}."

    def check(self, name: str, task: PlannedTask) -> None:
        """Check that there is a batch of annotated training images and, if masks are scored, a mask of every object."""
        known = task.objects()
        if known is None:
            return
        if self.masks and known.without_mask is not None:
            raise MastError(
                f"protocols.{name}.masks: every object needs a mask, and {task.name!r} has none for some "
                f"({known.without_mask}); set masks to false, or choose data with masks"
            )
        if known.annotated is not None and known.annotated < self.batch_size:
            raise MastError(
                f"protocols.{name}.batch_size: {self.batch_size} is more than the {known.annotated} annotated training "
                f"images of {task.name!r}; choose {known.annotated} or less"
            )

    def check_processes(self, name: str, processes: int) -> None:
        """Check that all processes can get the same number of images of a batch."""
        if self.batch_size % processes:
            raise MastError(
                f"protocols.{name}.batch_size: {self.batch_size} images cannot be shared out over {processes} "
                f"processes; choose a multiple of {processes}, or other numbers of GPUs and nodes"
            )
        if self.architecture == "c4" and self.batch_size // processes % self.gpu_images:
            raise MastError(
                f"protocols.{name}.gpu_images: {self.batch_size} images in parts of {self.gpu_images} cannot be shared "
                f"out over {processes} processes; choose fewer images, or other numbers of GPUs and nodes"
            )

    def check_encoder(self, name: str, encoder: str, built: "nn.Module") -> None:
        """Check that an encoder of C4 does not ask for the size of its images, which differs within a batch."""
        if self.architecture == "c4" and self.gpu_images < self.batch_size:
            from mast.models.detector_c4 import takes_several_sizes
            from mast.models.ragged import ASKS_FOR_SIZE

            if not takes_several_sizes(built):
                raise MastError(f"protocols.{name}.{ASKS_FOR_SIZE.format(encoder)}")

    def doubts(self, task: PlannedTask) -> Iterator[tuple[str, str]]:
        """Return doubtful settings: schedules beyond the end of training, more regions than exist, settings that others
        replace.
        """
        if self.steps is not None and "epochs" in self.model_fields_set:
            yield "epochs", f"has no effect: steps is {self.steps}; leave one of them out"
        if self.backbone == "frozen" and "batch_norm" in self.model_fields_set and self.batch_norm == "batch":
            yield "batch_norm", "has no effect: a frozen encoder keeps its own statistics; leave it out"
        unread = {"c4": ("fpn_channels", "head_channels"), "fpn": ("gpu_images", "precise_batches", "rpn_weight")}
        for key in unread[self.architecture]:
            if key in self.model_fields_set:
                yield key, f"has no effect: architecture is {self.architecture}; leave it out"
        if self.warmup_steps == 0 and "warmup_factor" in self.model_fields_set:
            yield "warmup_factor", "has no effect: warmup_steps is 0; leave it out"
        if self.rois > 2 * self.proposals:
            line = f"{self.rois} is more than the {2 * self.proposals} regions that training proposes"
            yield "rois", f"{line}; choose no more than that, or more proposals"
        total = self.steps
        if total is None and task.count is not None:
            total = self.epochs * (task.count // self.batch_size)
        if total:
            yield from self._schedule_doubts(total, task.name)

    def _schedule_doubts(self, total: int, task: str) -> Iterator[tuple[str, str]]:
        full = int(FIRST_FALL * total) if not self.decay_steps else min(self.decay_steps)
        if self.warmup_steps >= min(full, total):
            line = f"{self.warmup_steps} is no less than the {min(full, total)} steps until the learning rate falls"
            yield "warmup_steps", f"{line} on {task!r}: it never reaches lr; choose {min(full, total) // 10} or so"
        late = [step for step in self.decay_steps or () if step >= total]
        if late:
            line = f"training on {task!r} ends after {total} steps, before {late[0]}"
            yield "decay_steps", f"{line}: the learning rate does not fall there; choose an earlier step"

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        for key, size in (("min_size", self.min_size), ("train_sizes", max(self.train_sizes, default=0))):
            if size > self.max_size:
                raise ValueError(f"{key}: {size} is more than max_size ({self.max_size}); choose no more")
        return self

    @model_validator(mode="after")
    def _parts_are_whole(self) -> Self:
        if self.architecture == "c4" and self.batch_size % self.gpu_images:
            raise ValueError(
                f"gpu_images: {self.gpu_images} does not divide batch_size ({self.batch_size}); choose a divisor"
            )
        return self

    @model_validator(mode="after")
    def _voc_has_no_masks(self) -> Self:
        if self.score == "voc07" and self.masks:
            raise ValueError("score: voc07 scores boxes alone; set masks to false, or score to coco")
        return self

    def evaluate(self, inputs: EncoderInputs) -> Measured | None:
        """Train a detector on the train split and score it on the test split, after the last epoch.

        Linear warm-up, then a learning rate that falls tenfold twice; random horizontal flips. The seed is also set in
        torch's global generator, which samples proposals: on the CPU the same seed gives the same result. The target
        `box`, with `masks` also `mask`, has AP, AP50 and AP75 in percent, and COCO's APs, APm and APl.

        Raises:
            MastError: the data are not detection data or too few, or have no masks although they are needed.
        """
        import torch

        from mast.evaluation.coco_metrics import average_precision
        from mast.evaluation.detection import DetectorTraining, detect
        from mast.evaluation.detection_images import DetectionImages
        from mast.evaluation.voc_metrics import voc07_average_precision
        from mast.models.detector import Detector
        from mast.models.encoder_file import load_finite_encoder, normalisation

        _check_splits(inputs.task)
        polygons = self.architecture == "c4"
        train = DetectionImages(inputs.task, "train", annotated_only=True, masks=self.masks, polygons=polygons)
        test = DetectionImages(inputs.task, "test", masks=self.masks)
        if len(train) < self.batch_size:
            raise MastError(
                f"{inputs.task.path}: {len(train)} annotated training images are less than one batch; lower "
                f"protocols.{inputs.protocol}.batch_size (now {self.batch_size}) or annotate more"
            )
        encoder, metadata = load_finite_encoder(inputs.encoder)
        torch.manual_seed(inputs.seed)
        detector = Detector(encoder, train.classes, *normalisation(metadata), self).to(inputs.device)
        world = inputs.world
        training = DetectorTraining(detector, train, self, inputs.protocol, inputs.seed, inputs.device, world)
        with memory_for(f"protocols.{inputs.protocol}.batch_size: {self.batch_size} images in {self.precision}"):
            training.run(inputs.saved(self))
            predictions = detect(detector, test, self.batch_size, inputs.device, world)
        if predictions is None:
            return None
        score = voc07_average_precision if self.score == "voc07" else average_precision
        metrics = {"box": score(test.coco, predictions)}
        if self.masks:
            metrics["mask"] = average_precision(test.coco, predictions, "mask")
        return Measured(metrics, {"train": len(train), "test": len(test)}, predictions=predictions)


def _check_splits(task: PreparedData) -> None:
    for split in ("train", "test"):
        if not task.has(split):
            raise MastError(f"{task.path}: {task.name!r} has no {split} split; detection needs train and test")
