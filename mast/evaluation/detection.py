"""Train a detector on prepared scenes, and detect objects in others."""

import io
import math
import sys
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import BatchSampler, DataLoader, RandomSampler

from mast.checkpoint import Checkpoints
from mast.data.segmentation import run_lengths
from mast.distributed import ALONE, World
from mast.errors import MastError
from mast.evaluation.detection_images import DetectionImages, Example, GroupedBatches, OwnRows, flipped
from mast.evaluation.detection_optimizer import DetectionSettings, build_optimizer, lr_factor
from mast.evaluation.detection_shares import Shares
from mast.evaluation.precise_statistics import recompute_statistics
from mast.evaluation.workers import Batches, Reported, reading
from mast.models.detector import Detector
from mast.models.encoder_file import first_not_finite
from mast.models.precision import autocast, scaler
from mast.progress import Progress
from mast.signals import ignore_stop_requests
from mast.training import train

FLIP_PROBABILITY = 0.5
"""INPUT.RANDOM_FLIP: horizontal (detectron2, data/dataset_mapper.py, T.RandomFlip)."""

MASK_THRESHOLD = 0.5
"""Probability above which a pixel belongs to an object (He et al. 2017, section 3.1)."""


class DetectorTraining:
    """A `mast.training.Trainee`: trains a detector in place.

    It draws from torch's global generator, and from two of its own, one for the order of the images and one for the
    flips. They are separate because workers, which read ahead, draw the order early: so flips do not depend on the
    number of workers. An interrupted run resumes from its newest checkpoint, with the same final weights. All processes
    draw the same numbers, for the whole batch.
    """

    def __init__(
        self,
        detector: Detector,
        images: DetectionImages,
        spec: DetectionSettings,
        protocol: str,
        seed: int,
        device: str,
        world: World = ALONE,
    ) -> None:
        """Prepare to train on `images`.

        Args:
            detector: detector on its device.
            images: images to train on.
            spec: settings of training.
            protocol: name in the configuration, for messages.
            seed: seed of order and flips.
            device: device of the detector.
            world: the processes that share each batch; its size divides `batch_size`.
        """
        self.spec, self.protocol, self.device, self._world = spec, protocol, torch.device(device), world
        world.prepare(detector)
        self._rows = world.rows(spec.batch_size // world.size)
        self._shares = Shares(detector, world, spec.batch_size // world.size) if world.size > 1 else None
        self._detector = detector.train()
        self._flips = torch.Generator().manual_seed(seed)
        self._order = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=self._flips)))
        self._endless = spec.architecture == "c4"
        if self._endless:
            own = int(torch.randint(2**62, (), generator=self._order))
            batches: BatchSampler | GroupedBatches = GroupedBatches(images, spec.batch_size, spec.gpu_images, own)
        else:
            batches = BatchSampler(RandomSampler(images, generator=self._order), spec.batch_size, drop_last=True)
        self._own = OwnRows(batches, self._rows)
        self._loader = _loader(images, self._own, self._order)
        self._batches: Batches | None = None
        self._place = images.place
        self._order_state = self._order.get_state()
        self.steps = spec.steps or spec.epochs * len(self._loader)
        optimizer = build_optimizer(detector, spec)
        factor = lr_factor(spec.warmup_steps, self.steps, spec.decay_steps, spec.warmup_factor)
        self._schedule = LambdaLR(optimizer, factor)
        self._optimizer, self._scaler = optimizer, scaler(spec.precision, self.device)
        self._parts = {"detector": detector, "optimizer": optimizer, "schedule": self._schedule}
        if self._scaler.is_enabled():
            self._parts["scaler"] = self._scaler

    def run(self, checkpoints: Checkpoints) -> None:
        """Train to the end, from the newest of the checkpoints. The last one holds the trained detector.

        Raises:
            MastError: the loss or a weight is not finite, or an image cannot be read.
            StoppedBySignalError: a signal to stop arrived (`mast.signals.CAUGHT`); a checkpoint was written first.
        """
        try:
            with reading(self._place):
                train(self, "train detector", self.steps, self.spec.batch_size, checkpoints, self._world)
                if self.spec.architecture == "c4":
                    batches = self.spec.precise_batches
                    size = self.spec.batch_size
                    recompute_statistics(self._detector, self._look_further, batches, size, self._world)
                    self.check(self.steps)
        finally:
            if self._batches is not None:
                self._batches.close()

    def step(self, step: int) -> str:
        """Train on one batch; the loss is the sum of the losses of region proposals and heads."""
        own = self._loss(self._next(step))
        self._optimizer.zero_grad()
        self._scaler.scale(own).backward()
        loss = self._world.add_up(self._detector.parameters(), own).item()
        if not math.isfinite(loss):
            raise self._diverged(step + 1)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()
        return f"loss {loss:.3f}"

    def state(self) -> dict[str, Any]:
        """Return detector, optimiser, schedule, scaler of fp16, and all generators.

        The generator of the order is in its state at the start of the epoch. C4 does not use it: its order follows from
        the step alone.
        """
        random = {"flips": self._flips.get_state(), "order": self._order_state, "cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state()
        return {"random": random, **{name: part.state_dict() for name, part in self._parts.items()}}

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        random = {name: value.cpu() for name, value in state["random"].items()}
        self._flips.set_state(random["flips"])
        self._order.set_state(random["order"])
        self._order_state = random["order"]
        torch.set_rng_state(random["cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(random["cuda"])

    def check(self, done: int) -> None:
        """Raise MastError unless all weights are finite."""
        if first_not_finite(self._detector) is not None:
            raise self._diverged(done)

    def _loss(self, examples: list[Example]) -> Tensor:
        """Return the sum of the losses of region proposals and heads on randomly flipped images: this process's share
        of it.
        """
        flips = torch.rand(self.spec.batch_size, generator=self._flips)[self._rows] < FLIP_PROBABILITY
        pairs = [
            flipped(image, target) if flip else (image, target)
            for (image, target, _), flip in zip(examples, flips, strict=True)
        ]
        images = [image.to(self.device) for image, _ in pairs]
        targets = [{name: value.to(self.device) for name, value in target.items()} for _, target in pairs]
        with autocast(self.spec.precision, self.device):
            losses = self._detector(images, targets)
        return torch.stack(list(losses.values())).sum() if self._shares is None else self._shares.loss(losses)

    def _look_further(self, number: int) -> Tensor:
        """Return the loss of a batch after the last step; the order of training continues."""
        return self._loss(self._next(self.steps + number))

    def _next(self, step: int) -> list[Example]:
        """Return the batch of a step; after the last one of an epoch, the order of the next epoch may be drawn."""
        within = step if self._endless else step % len(self._loader)
        if self._batches is None:
            self._own.skip = within
            self._batches = Batches(self._loader)
        examples = next(self._batches)
        if not self._endless and within == len(self._loader) - 1:
            next(self._batches, None)  # the sampler draws once more when it ends
            self._batches, self._order_state = None, self._order.get_state()
        return examples

    def _diverged(self, step: int) -> MastError:
        return MastError(
            f"protocols.{self.protocol}.lr: training of the detector diverged at step {step}; "
            f"choose less than {self.spec.lr:g}"
        )


@torch.inference_mode()
def detect(
    detector: Detector, images: DetectionImages, batch_size: int, device: str, world: World = ALONE
) -> list[dict[str, Any]] | None:
    """Return detections in COCO's result format: boxes [x, y, width, height] in pixels of the original images, masks as
    RLE.

    Images that stay in place are processed one by one: a batch's masks, each of the size of its image, would fill
    memory. Each of several processes takes consecutive batches; the first one gets all detections, the others None.

    Raises:
        MastError: an image cannot be read.
    """
    detector.eval()
    results: list[dict[str, Any]] = []
    every = list(BatchSampler(range(len(images)), 1 if images.in_place else batch_size, drop_last=False))
    own, stream = every[world.share(len(every))], sys.stderr if world.leads else io.StringIO()
    count = sum(map(len, own))
    with (
        Progress("detect", count, stream=stream) as progress,
        reading(images.place),
        closing(Batches(_loader(images, own))) as batches,
    ):
        for examples in batches:
            outputs = detector([image.to(device) for image, _, _ in examples])
            for (_, _, image_id), found in zip(examples, outputs, strict=True):
                results += _results(image_id, found)
            progress.update(len(examples))
    parts = world.at_first(results)
    return None if parts is None else [result for part in parts for result in part]


def _loader(
    images: DetectionImages, batches: Iterable[list[int]], order: torch.Generator | None = None
) -> DataLoader[list[Example]]:
    """Return a loader for `Batches` of lists of examples, at the positions that `batches` gives and that `order` may
    draw.

    Images that stay in place are decoded by as many processes as torch has threads, including this one. They ignore
    stop signals, which this process handles.
    """
    return DataLoader(
        Reported(images),
        batch_sampler=batches,
        generator=order,
        collate_fn=list,
        num_workers=torch.get_num_threads() - 1 if images.in_place else 0,
        worker_init_fn=ignore_stop_requests,
    )


def _results(image_id: int, found: dict[str, Tensor]) -> list[dict[str, Any]]:
    boxes = found["boxes"].cpu().clone()
    boxes[:, 2:] -= boxes[:, :2]
    results = [
        {
            "image_id": image_id,
            "category_id": label,
            "bbox": [round(value, 3) for value in box],
            "score": round(score, 6),
        }
        for box, label, score in zip(boxes.tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True)
    ]
    if "masks" in found:
        codes = run_lengths((found["masks"][:, 0] > MASK_THRESHOLD).cpu().numpy())
        results = [{**result, "segmentation": code} for result, code in zip(results, codes, strict=True)]
    return results
