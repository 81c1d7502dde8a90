"""Images of several sizes as one batch: each is seen at its own size, and batch norm sees all of them."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from mast.errors import MastError
from mast.models.encoder import build_encoder
from mast.models.ragged import Ragged, normalised_together, parts_of
from mast.models.settings import EncoderSpec

SHAPES = ((2, 3, 11, 16), (1, 3, 17, 9), (2, 3, 11, 16))


def images(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def test_batch_norm_has_the_statistics_of_all_parts() -> None:
    """In float64 by numpy: moments over all values of a channel, running ones with the unbiased variance."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).double()
    nn.init.uniform_(network[1].weight, 0.5, 2.0)
    nn.init.uniform_(network[1].bias)
    parts = images(*SHAPES)
    with normalised_together(network):
        found = network(Ragged.of(parts))
    features = [conv2d(part, network[0].weight, network[0].bias, 2, 1).detach().numpy() for part in parts]
    values = np.concatenate([part.transpose(1, 0, 2, 3).reshape(4, -1) for part in features], axis=1)
    mean, variance = values.mean(1), values.var(1)
    scale, shift = (value.detach().numpy()[:, None, None] for value in (network[1].weight, network[1].bias))
    for own, plain in zip(parts_of(found), features, strict=True):
        normal = (plain - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None]
        np.testing.assert_allclose(own.detach(), np.maximum(normal * scale + shift, 0), atol=1e-12)
    np.testing.assert_allclose(network[1].running_mean, 0.1 * mean, atol=1e-12)
    np.testing.assert_allclose(network[1].running_var, 0.9 + 0.1 * values.var(1, ddof=1), atol=1e-12)
    assert network[1].num_batches_tracked == 1 and not network[1]._forward_hooks


@pytest.mark.parametrize("name", ["resnet-narrow", "resnet18", "timm/resnet10t", "timm/res2net50_26w_4s"])
def test_parts_of_one_size_are_one_batch(name: str) -> None:
    """Features, gradients and statistics of an encoder."""
    torch.manual_seed(0)
    whole = build_encoder(EncoderSpec(name=name)).double().train()
    ragged = copy.deepcopy(whole)
    first, second = images((2, 3, 40, 64), (1, 3, 40, 64))
    expected = whole.layer1(whole.maxpool(whole.bn1(whole.conv1(torch.cat([first, second])))))
    with normalised_together(ragged):
        found = ragged.layer1(ragged.maxpool(ragged.bn1(ragged.conv1(Ragged.of([first, second])))))
    torch.testing.assert_close(torch.cat(parts_of(found)), expected)
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    (torch.cat(parts_of(found)) * weights).sum().backward()
    used = [parameter for parameter in whole.parameters() if parameter.grad is not None]
    others = [parameter for parameter in ragged.parameters() if parameter.grad is not None]
    for own, other in zip(others, used, strict=True):
        torch.testing.assert_close(own.grad, other.grad)
    for own, other in zip(ragged.buffers(), whole.buffers(), strict=True):
        torch.testing.assert_close(own, other)


def test_an_encoder_that_asks_for_the_size_of_its_images_is_refused() -> None:
    parts = Ragged.of(images(*SHAPES))
    assert parts.dim() == 4 and parts.dtype == torch.float64
    with pytest.raises(MastError, match="gpu_images: this encoder asks for the size of its images") as error:
        parts.mean((2, 3)).view(parts.shape[0], 3)
    assert "\n" not in str(error.value)
