"""Detection transfer: train Faster or Mask R-CNN on an encoder, score COCO AP on the test images."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from mast.checkpoint import Checkpoints, Saver, checkpoints_of
from mast.config import DetectionProtocol
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.segmentation import run_lengths
from mast.errors import MastError
from mast.evaluation.coco_metrics import average_precision
from mast.evaluation.detection_images import DetectionImages, Example, ShuffledOrder, flipped
from mast.evaluation.metrics import measured_with, write_metrics
from mast.files import sha256_file, write_json
from mast.models.detector import Detector
from mast.models.encoder_file import load_finite_encoder, normalisation
from mast.progress import Progress
from mast.signals import ignore_stop_requests, stop_requests

VERSION = 2
"""Raised when a change of this package changes results."""

STEPS = (3 / 4, 11 / 12)
"""When the learning rate falls to a tenth, as shares of training: steps 18k and 22k of 24k in detectron2's VOC07+12
configuration of the reference protocol."""

WARMUP_FACTOR = 0.001
"""First learning rate, as a share of the full one (detectron2's default)."""

FLIP_PROBABILITY = 0.5

MASK_THRESHOLD = 0.5
"""Probability above which a pixel belongs to an object (He et al. 2017, section 3.1)."""


def evaluate_detection(
    protocol: str,
    spec: DetectionProtocol,
    encoder_file: Path,
    data: Path,
    output: Path,
    seed: int,
    device: str = "cpu",
) -> None:
    """Train a detector on the train split and score it on the test split, after the last epoch.

    Linear warm-up, then a learning rate that falls tenfold at STEPS; random horizontal flips. On the CPU the same seed
    gives the same result. Writes the metrics file (target `box`, with `spec.masks` also `mask`: AP, AP50, AP75, APs,
    APm, APl in percent) and, beside it, the detections in COCO's result format as `<stem>.predictions.json`.

    Args:
        protocol: the protocol's name in the configuration.
        spec: its settings.
        encoder_file: encoder to start from.
        data: prepared detection data.
        output: path of the metrics file.
        seed: of the new layers, the order of the images, the flips and the sampling of proposals (it is set in torch's
            global generator).
        device: where the detector runs.

    Raises:
        MastError: the data are not detection data or too few, or have no masks where they are wanted; the encoder is
            unusable, or training diverges; no metrics file is written.
    """
    started = time.perf_counter()
    task = open_prepared(data)
    _check_splits(task)
    train = DetectionImages(task, "train", annotated_only=True, masks=spec.masks)
    test = DetectionImages(task, "test", masks=spec.masks)
    if len(train) < spec.batch_size:
        raise MastError(
            f"{data}: {len(train)} annotated training images are less than one batch; lower "
            f"protocols.{protocol}.batch_size (now {spec.batch_size}) or annotate more"
        )
    encoder, metadata = load_finite_encoder(encoder_file)
    torch.manual_seed(seed)
    detector = Detector(encoder, train.classes, *normalisation(metadata), spec).to(device)
    origin = measured_with(encoder_file, metadata, task)
    made_from = {key: origin[key] for key in ("encoder_sha256", "task_sha256")}
    identity = {"settings": spec.model_dump_json(), "version": VERSION, "seed": seed, **made_from}
    checkpoints = Checkpoints(checkpoints_of(output), identity)
    train_detector(detector, train, spec, protocol, seed, device, checkpoints)
    predictions = detect(detector, test, spec.batch_size, device)
    metrics = {"box": average_precision(test.coco, predictions)}
    if spec.masks:
        metrics["mask"] = average_precision(test.coco, predictions, "mask")
    predictions_file = output.with_suffix(".predictions.json")
    write_json(predictions_file, predictions)
    write_metrics(
        output,
        protocol=protocol,
        spec=spec,
        version=VERSION,
        metadata=origin,
        metrics=metrics,
        counts={"train": len(train), "test": len(test)},
        seconds=time.perf_counter() - started,
        details={"predictions_sha256": sha256_file(predictions_file)},
    )
    checkpoints.clear()


def train_detector(
    detector: Detector,
    images: DetectionImages,
    spec: DetectionProtocol,
    protocol: str,
    seed: int,
    device: str,
    checkpoints: Checkpoints,
) -> None:
    """Train in place; draws from torch's global generator, and from two of its own for the order and for the flips.

    They are two since workers, which read ahead, draw the order early: flips do not depend on their number. An
    interrupted training goes on from its newest checkpoint, to the same weights; the last one
    holds the trained detector.

    Raises:
        MastError: the loss is not finite.
        StoppedBySignalError: a signal to stop arrived (`mast.signals.CAUGHT`); a checkpoint was written first.
    """
    flips = torch.Generator().manual_seed(seed)
    order = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=flips)))
    sampler = ShuffledOrder(images, generator=order)
    loader = _loader(images, spec.batch_size, sampler)
    total = spec.epochs * len(loader)
    optimizer = _optimizer(detector, spec)
    schedule = LambdaLR(optimizer, lr_factor(spec.warmup_steps, total))
    training = _Training(detector, optimizer, schedule, flips, order)
    done = training.resume(checkpoints.load(torch.device(device)))
    detector.train()

    def save(step: int) -> None:
        checkpoints.save(step, training.state())

    with stop_requests() as stop, Progress("train detector", (total - done) * spec.batch_size) as progress:
        saver = Saver(total, save, stop)
        for epoch in range(done // len(loader), spec.epochs):
            first = done % len(loader) if epoch == done // len(loader) else 0
            sampler.skip = first * spec.batch_size
            training.begin_epoch()
            for step, examples in enumerate(loader, epoch * len(loader) + first):
                saver.before(step)
                loss = _loss(detector, examples, flips, device)
                if not math.isfinite(loss.item()):
                    raise MastError(
                        f"protocols.{protocol}.lr: training of the detector diverged at step "
                        f"{schedule.last_epoch + 1}; choose less than {spec.lr:g}"
                    )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                progress.update(len(examples), f"loss {loss.item():.3f}")
        if done < total:
            save(total)


class _Training:
    """Everything that changes while a detector is trained, to be saved and taken over."""

    def __init__(
        self,
        detector: Detector,
        optimizer: torch.optim.Optimizer,
        schedule: LambdaLR,
        flips: torch.Generator,
        order: torch.Generator,
    ) -> None:
        self._parts = {"detector": detector, "optimizer": optimizer, "schedule": schedule}
        self._flips, self._order = flips, order
        self._cuda = next(detector.parameters()).is_cuda

    def begin_epoch(self) -> None:
        """Remember from where the order of this epoch's images is drawn."""
        self._order_state = self._order.get_state()

    def state(self) -> dict[str, Any]:
        random = {"flips": self._flips.get_state(), "order": self._order_state, "cpu": torch.get_rng_state()}
        if self._cuda:
            random["cuda"] = torch.cuda.get_rng_state()
        return {"random": random, **{name: part.state_dict() for name, part in self._parts.items()}}

    def resume(self, state: dict[str, Any] | None) -> int:
        """Take over a checkpoint; the number of steps that it has done, 0 for None."""
        if state is None:
            return 0
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        random = {name: value.cpu() for name, value in state["random"].items()}
        self._flips.set_state(random["flips"])
        self._order.set_state(random["order"])
        torch.set_rng_state(random["cpu"])
        if self._cuda:
            torch.cuda.set_rng_state(random["cuda"])
        return state["step"]


@torch.inference_mode()
def detect(detector: Detector, images: DetectionImages, batch_size: int, device: str) -> list[dict[str, Any]]:
    """Detections in COCO's result format: boxes [x, y, width, height] in pixels of the original images, masks as RLE.

    Images that stay in place are seen one by one: a batch's masks, each of the size of its image, would fill memory.
    """
    detector.eval()
    results: list[dict[str, Any]] = []
    with Progress("detect", len(images)) as progress:
        for examples in _loader(images, 1 if images.in_place else batch_size):
            outputs = detector([image.to(device) for image, _, _ in examples])
            for (_, _, image_id), found in zip(examples, outputs, strict=True):
                results += _results(image_id, found)
            progress.update(len(examples))
    return results


def lr_factor(warmup: int, total: int) -> Callable[[int], float]:
    """Function from the step (from 0) to the share of the full learning rate."""

    def factor(step: int) -> float:
        if step < warmup:
            return WARMUP_FACTOR + (1 - WARMUP_FACTOR) * step / warmup
        return 0.1 ** sum(step >= share * total for share in STEPS)

    return factor


def _loss(detector: Detector, examples: list[Example], generator: torch.Generator, device: str) -> Tensor:
    """Sum of the losses of region proposals and heads, on randomly flipped images."""
    flips = torch.rand(len(examples), generator=generator) < FLIP_PROBABILITY
    pairs = [
        flipped(image, target) if flip else (image, target)
        for (image, target, _), flip in zip(examples, flips, strict=True)
    ]
    images = [image.to(device) for image, _ in pairs]
    targets = [{name: value.to(device) for name, value in target.items()} for _, target in pairs]
    return torch.stack(list(detector(images, targets).values())).sum()


def _loader(images: DetectionImages, batch_size: int, order: ShuffledOrder | None = None) -> DataLoader[list[Example]]:
    """Batches as lists of examples; for training in random order (`order`) and without the last short batch.

    Images that stay in place are decoded by as many processes as torch has threads, this process counted. They leave
    it to this process to stop.
    """
    return DataLoader(
        images,
        batch_size,
        sampler=order,
        drop_last=order is not None,
        generator=None if order is None else order.generator,
        collate_fn=list,
        num_workers=torch.get_num_threads() - 1 if images.in_place else 0,
        worker_init_fn=ignore_stop_requests,
    )


def _optimizer(detector: Detector, spec: DetectionProtocol) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in detector.parameters() if parameter.requires_grad]
    if spec.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=spec.lr, weight_decay=spec.weight_decay)
    return torch.optim.SGD(parameters, lr=spec.lr, momentum=0.9, weight_decay=spec.weight_decay)


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


def _check_splits(task: PreparedData) -> None:
    for split in ("train", "test"):
        if not task.has(split):
            raise MastError(f"{task.path}: {task.name!r} has no {split} split; detection needs train and test")
