"""Pretrained encoders for your own code."""

from pathlib import Path

import torch
from torch import Tensor, nn

from mast.augment.policy import unit_float
from mast.models import encoder_file
from mast.models.encoder import normalise

EXPORTED = "model.safetensors"


class PretrainedEncoder(nn.Module):
    """An encoder that normalises its images itself.

    Attributes:
        encoder: the backbone; its stages are `layer1` … `layer4`.
        num_features: D, the width of the features.
        metadata: run, data and settings, as stored in the file (docs/use/formats.md, *Weight files*).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: nn.Module, metadata: dict[str, str]) -> None:
        """Wrap an encoder; `encoder` and `metadata` are those of an encoder file."""
        super().__init__()
        self.encoder, self.metadata, self.num_features = encoder, metadata, encoder.num_features
        mean, std = encoder_file.normalisation(metadata)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Compute features [N, D] of images [N, 3, H, W], uint8, or floating in [0, 1]; pooled over space.

        Raises:
            ValueError: the images have another dtype.
        """
        check_dtype(images)
        return self.encoder(normalise(unit_float(images), self.mean, self.std))


def check_dtype(images: Tensor) -> None:
    """Raise ValueError if images are neither uint8 nor floating."""
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ValueError(f"images: {str(images.dtype).removeprefix('torch.')}; expected uint8, or floating in [0, 1]")


def load_encoder(path: str | Path, device: str | torch.device = "cpu") -> PretrainedEncoder:
    """Load an encoder in eval mode.

    >>> import mast
    >>> encoder = mast.load_encoder("results/pretrain/shapes/mast/seed0/encoder.safetensors")  # doctest: +SKIP
    >>> features = encoder(images)  # doctest: +SKIP

    Args:
        path: `encoder.safetensors` of a run, or a folder that `mast export` wrote.
        device: device of the encoder.

    Raises:
        mast.errors.MastError: the file is missing, damaged, not an encoder, or its weights do not fit.
    """
    path = Path(path)
    encoder, metadata = encoder_file.load_encoder(path / EXPORTED if path.is_dir() else path)
    return PretrainedEncoder(encoder, metadata).to(device).eval()
