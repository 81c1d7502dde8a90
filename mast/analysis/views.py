"""Augmented images and their features, in batches."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from mast.augment.policy import Params, Policy
from mast.models.encoder import normalise

BATCH = 256


@torch.inference_mode()
def encode_views(
    encoder: nn.Module,
    policy: Policy,
    images: Tensor,
    params: Params,
    normalisation: tuple[Tensor, Tensor],
    device: torch.device,
) -> Tensor:
    """Return features [N, D] of uint8 images [N, 3, S, S] under the given parameters, on `device`.

    Args:
        encoder: images [N, 3, S, S] → features [N, D], in eval mode and on `device`.
        policy: policy for images of S pixels.
        images: images on the CPU.
        params: parameters of `policy`, for N images.
        normalisation: mean and standard deviation of pretraining, [1, 3, 1, 1] each.
        device: device of the encoder.
    """
    mean, std = (statistic.to(device) for statistic in normalisation)
    views = augment_views(policy, images, params, device)
    return torch.cat([encoder(normalise(view, mean, std)) for view in views])


def augment_views(policy: Policy, images: Tensor, params: Params, device: torch.device) -> Iterator[Tensor]:
    """Yield views float32 [≤ BATCH, 3, S, S] in [0, 1] on `device` of uint8 images [N, 3, S, S] on the CPU."""
    for start in range(0, len(images), BATCH):
        rows = slice(start, start + BATCH)
        yield policy.apply(images[rows].to(device), {name: values[rows] for name, values in params.items()})
