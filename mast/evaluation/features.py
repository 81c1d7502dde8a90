"""From an encoder and a prepared dataset to the features file."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mast.data.prepared.store import open_prepared
from mast.data.prepared.subset import Images
from mast.errors import MastError
from mast.evaluation.features_file import Features, write_features
from mast.evaluation.heads import GridFeatures
from mast.evaluation.images import check_task
from mast.evaluation.origin import origin_of
from mast.memory import memory_for
from mast.models.encoder import normalise
from mast.models.encoder_file import load_encoder, normalisation

POOLINGS: dict[str, Callable[[nn.Module], nn.Module]] = {"global": lambda encoder: encoder, "grid": GridFeatures}
"""How the last stage is pooled → what makes an encoder do so: the mean over all positions, or over windows at 2 × 2
places."""


def extract_features(
    encoder_file: Path,
    data: Path,
    output: Path,
    device: str = "cpu",
    batch_size: int = 512,
    pooling: str = "global",
) -> None:
    """Write the pooled features of a task's train and test images (docs/formats.md, *Features*).

    The encoder is in eval mode, in float32, and sees the images as they were prepared, normalised with the mean and
    standard deviation of its pretraining.

    Raises:
        MastError: the task has no labels or no test split, the encoder's features are not finite, or its last stage has
            too few positions for the pooling.
    """
    task = open_prepared(data)
    check_task(task)
    encoder, metadata = load_encoder(encoder_file)
    encoder = POOLINGS[pooling](encoder)
    mean, std = normalisation(metadata)
    features = {}
    for split in ("train", "test"):
        batches = encode(encoder, task.images(split), mean, std, device, batch_size)
        features[split] = np.concatenate(list(batches))
        if bad := int((~np.isfinite(features[split])).any(axis=1).sum()):
            raise MastError(
                f"{encoder_file}: non-finite features for {bad} of {len(features[split])} {split} images of "
                f"{task.name!r}; pretrain again with a lower learning rate"
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


@torch.inference_mode()
def encode(
    encoder: nn.Module,
    images: Images,
    mean: torch.Tensor,
    std: torch.Tensor,
    device: str = "cpu",
    batch_size: int = 512,
) -> Iterator[np.ndarray]:
    """Yield the features of consecutive batches, float32 [B, D] each.

    Args:
        encoder: maps float [B, 3, H, W] to [B, D].
        images: uint8 [N, H, W, 3].
        mean: float [1, 3, 1, 1], of images in [0, 1].
        std: like `mean`.
        device: where the encoder runs.
        batch_size: images per forward pass.
    """
    with memory_for(f"features: {batch_size} images at a time in fp32", "free memory, or compute with --gpus 0"):
        encoder = encoder.to(device).eval()
        mean, std = mean.to(device), std.to(device)
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(device)
            with exact_float32():
                features = encoder(normalise(batch.permute(0, 3, 1, 2).float() / 255, mean, std))
            yield features.float().cpu().numpy()


def exact_float32() -> AbstractContextManager[None]:
    """Within the block, convolutions in float32 are that on a GPU too; torch's default there is TF32, 10 bits exact."""
    if not torch.cuda.is_available():
        return nullcontext()
    cudnn = torch.backends.cudnn
    return cudnn.flags(enabled=True, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False)
