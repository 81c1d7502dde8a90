"""Statistics of batch norm, recomputed for final weights."""

import io
import sys
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mast.distributed import ALONE, World
from mast.progress import Progress


@torch.no_grad()
def recompute_statistics(
    model: nn.Module, forward: Callable[[int], object], batches: int, images: int, world: World = ALONE
) -> None:
    """Replace running mean and variance of batch norm by their averages over batches.

    Running statistics come from weights that changed in the meantime. (TEST.PRECISE_BN of detectron2, engine/hooks.py;
    fvcore, nn/precise_bn.py: averages of the batches' own means and variances.) Layers in eval mode keep their
    statistics.

    Args:
        model: model in train mode; its weights do not change.
        forward: function that applies the model to the batch with a number, from 0.
        batches: number of batches; 0 changes nothing.
        images: number of images in each, for the progress shown by the first process.
        world: the processes that share each batch.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm) and layer.training]
    if not layers or not batches:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch then averages over all batches
    stream = sys.stderr if world.leads else io.StringIO()
    with Progress("statistics", batches * images, stream=stream) as progress:
        for number in range(batches):
            forward(number)
            progress.update(images)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
