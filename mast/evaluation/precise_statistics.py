"""Statistics of batch norm, computed anew for weights that no longer change."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mast.progress import Progress


@torch.no_grad()
def recompute_statistics(model: nn.Module, forward: Callable[[int], object], batches: int, images: int) -> None:
    """Replace running mean and variance of batch norm by their averages over batches.

    Running ones are of weights that changed on the way. (TEST.PRECISE_BN of detectron2, engine/hooks.py; fvcore,
    nn/precise_bn.py: averages of the batches' own means and variances.) Layers that are not training keep theirs.

    Args:
        model: in the mode of training; its weights stay as they are.
        forward: applies it to the batch of a number, from 0.
        batches: their number; 0 changes nothing.
        images: in each of them, for the progress that is shown.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm) and layer.training]
    if not layers or not batches:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch then averages over all that it sees
    with Progress("statistics", batches * images) as progress:
        for number in range(batches):
            forward(number)
            progress.update(images)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
