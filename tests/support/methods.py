"""One batch through a method, without data on the disk."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mast.augment.pairing import Pair
from mast.augment.views import View
from mast.config.pretrain import PretrainSpec
from mast.distributed import ALONE
from mast.learner import Learner
from mast.methods import METHODS
from mast.settings import parse

COUNT = 12
TINY = {
    "dataset": "shapes",
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 6, 8, 10], "zero_init_residual": False},
    "projector": {"hidden": 12, "output": 8},
    "policy": {"jitter": {"hue": 0.5}},
}


def spec_of(**settings: Any) -> PretrainSpec:
    """Resolved settings of a tiny run."""
    return parse(PretrainSpec, TINY | settings, "test").resolved()


def learner_of(classes: Sequence[int] = (), **settings: Any) -> Learner:
    """A learner of a tiny run, in training; `classes` of each target, if there are labels."""
    spec = spec_of(**settings)
    torch.manual_seed(0)
    return Learner(METHODS[spec.method](spec), 16, [0.5] * 3, [0.25] * 3, list(classes), ALONE).train()


def images() -> Tensor:
    """uint8 [COUNT, 3, 16, 16]."""
    return torch.randint(0, 256, (COUNT, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def drawn() -> torch.Generator:
    """The generator of a step's augmentations."""
    return torch.Generator().manual_seed(2)


def embedded(learner: Learner, pair: Pair) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Features and embeddings of both views, as `Learner.embed` gives them."""
    floats = images().float() / 255
    return learner.embed(View(floats, pair.a)), learner.embed(View(floats, pair.b))
