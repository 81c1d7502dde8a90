"""Extract features from an encoder and a prepared dataset into the features file."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mast.data.prepared.store import open_prepared
from mast.data.prepared.subset import Images
from mast.distributed import ALONE, World, join, local_device
from mast.errors import MastError
from mast.evaluation.features_file import Features, write_features
from mast.evaluation.heads import GridFeatures
from mast.evaluation.images import check_task
from mast.evaluation.origin import origin_of
from mast.memory import memory_for
from mast.models.encoder import normalise
from mast.models.encoder_file import load_encoder, normalisation

POOLINGS: dict[str, Callable[[nn.Module], nn.Module]] = {"global": lambda encoder: encoder, "grid": GridFeatures}
"""Pooling of the last stage → function that adapts an encoder to it: the mean over all positions, or over windows at 2
× 2 positions.
"""


def extract_features(
    encoder_file: Path,
    data: Path,
    output: Path,
    device: str = "cpu",
    batch_size: int = 512,
    pooling: str = "global",
) -> None:
    """Write the pooled features of a task's train and test images (docs/use/formats.md, *Features*).

    The encoder runs in eval mode, in float32, on the images as prepared, normalised with the mean and standard
    deviation of its pretraining.

    Under torchrun, or the submitit plugin's launcher, each process computes a part of them, and the first one writes.

    Raises:
        MastError: the task has no labels or no test split, the encoder's features are not finite, its last stage has
            too few positions for the pooling, or there are more processes than training images.
    """
    task = open_prepared(data)
    check_task(task)
    encoder, metadata = load_encoder(encoder_file)
    encoder, device = POOLINGS[pooling](encoder), local_device(device)
    with join(torch.device(device)) as world:
        images = {split: task.images(split) for split in ("train", "test")}
        if world.size > len(images["train"]):
            raise MastError(
                f"features: {world.size} processes are more than the {len(images['train'])} training images of "
                f"{task.name!r}; start no more than that"
            )
        statistics = normalisation(metadata)
        features = {split: gathered(encoder, images[split], *statistics, device, batch_size, world) for split in images}
        if not world.leads:
            return
    for split, values in features.items():
        if bad := int((~np.isfinite(values)).any(axis=1).sum()):
            raise MastError(
                f"{encoder_file}: non-finite features for {bad} of {len(values)} {split} images of {task.name!r}; "
                "pretrain again with a lower learning rate"
            )
    write_features(
        output,
        Features(
            features["train"],
            features["test"],
            np.asarray(task.labels("train")),
            np.asarray(task.labels("test")),
            np.asarray(task.val_indices),
            dict(task.targets),
            origin_of(encoder_file, metadata, task),
            pooling,
        ),
    )


def gathered(
    encoder: nn.Module,
    images: Images,
    mean: torch.Tensor,
    std: torch.Tensor,
    device: str = "cpu",
    batch_size: int = 512,
    world: World = ALONE,
) -> np.ndarray | None:
    """Return the features of all images, float32 [N, D], in the first process; None in the others.

    Each process computes consecutive batches. The batches are the same as with one process, and so are the features.
    The arguments are those of `encode`.
    """
    starts = range(0, len(images), batch_size)[world.share(math.ceil(len(images) / batch_size))]
    own = list(encode(encoder, images, mean, std, device, batch_size, starts))
    rows = np.concatenate(own) if own else np.empty((0, encoder.num_features), np.float32)
    whole = world.rows_at_first(torch.from_numpy(rows))
    return None if whole is None else whole.numpy()


@torch.inference_mode()
def encode(
    encoder: nn.Module,
    images: Images,
    mean: torch.Tensor,
    std: torch.Tensor,
    device: str = "cpu",
    batch_size: int = 512,
    starts: Iterable[int] | None = None,
) -> Iterator[np.ndarray]:
    """Yield the features of consecutive batches, float32 [B, D] each.

    Args:
        encoder: maps float [B, 3, H, W] to [B, D].
        images: uint8 [N, H, W, 3].
        mean: mean of images in [0, 1], float [1, 3, 1, 1].
        std: standard deviation of images in [0, 1], float [1, 3, 1, 1].
        device: device on which the encoder runs.
        batch_size: number of images per forward pass.
        starts: positions at which batches begin; all batches by default.
    """
    with memory_for(f"features: {batch_size} images at a time in fp32", "free memory, or compute with --gpus 0"):
        encoder = encoder.to(device).eval()
        mean, std = mean.to(device), std.to(device)
        for start in range(0, len(images), batch_size) if starts is None else starts:
            batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(device)
            with exact_float32():
                features = encoder(normalise(batch.permute(0, 3, 1, 2).float() / 255, mean, std))
            yield features.float().cpu().numpy()


def exact_float32() -> AbstractContextManager[None]:
    """Compute convolutions within the block in true float32, also on a GPU, where torch's default is TF32 (10-bit
    mantissa).
    """
    if not torch.cuda.is_available():
        return nullcontext()
    cudnn = torch.backends.cudnn
    return cudnn.flags(enabled=True, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False)
