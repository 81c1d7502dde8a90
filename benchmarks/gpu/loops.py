"""Timed loops of training steps: the package's own, the bare network, and lightly's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.gpu.bench import Bench, Case
from benchmarks.gpu.learners import build, random_images, training
from mast.config.pretrain import PretrainSpec
from mast.models.precision import autocast

Loop = Callable[[], None]
"""Function that runs `case.steps` steps."""


@contextmanager
def ours(bench: Bench, case: Case, spec: PretrainSpec) -> Iterator[Loop]:
    """Return steps of `mast.pretraining.trainee.Pretraining`, including logged lines."""
    with training(spec, case, bench.device, case.steps) as trained:
        done = 0

        def steps() -> None:
            nonlocal done
            for _ in range(case.steps):
                trained.step(done)
                done += 1

        yield steps


def bare(bench: Bench, case: Case, spec: PretrainSpec) -> Loop:
    """Return forward and backward of encoder and projector on two ready views, the lower limit of a step."""
    learner = build(spec, case, bench.device).train()
    if spec.compile:
        learner.compile_networks()
    shape = (case.batch, 3, case.size, case.size)
    views = [torch.randn(shape, device=bench.device).contiguous(memory_format=torch.channels_last) for _ in range(2)]
    gradient = torch.randn(case.batch, case.projector, device=bench.device)

    def steps() -> None:
        for _ in range(case.steps):
            learner.zero_grad(set_to_none=True)
            with learner.autocast():
                embeddings = [learner.projector(learner.encoder(view)) for view in views]
            torch.autograd.backward([z.float() for z in embeddings], [gradient, gradient])

    return steps


class _Images(Dataset):
    """Images with lightly's transform, as in its examples."""

    def __init__(self, pixels: np.ndarray, transform: Callable[[Image.Image], list[torch.Tensor]]) -> None:
        self.pixels, self.transform = pixels, transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> list[torch.Tensor]:
        return self.transform(Image.fromarray(self.pixels[index]))


def has_lightly() -> bool:
    return find_spec("lightly") is not None


def lightlys(bench: Bench, case: Case, spec: PretrainSpec) -> Loop:
    """Return the loop of lightly's VICReg example with our encoder and projector, its transform in one worker per core.

    It is tuned as a user would do it: channels_last, persistent workers, page-locked batches, copies that do not block.
    """
    from lightly.loss import VICRegLoss
    from lightly.transforms.vicreg_transform import VICRegTransform

    learner = build(spec, case, bench.device).train()
    model = nn.Sequential(learner.encoder, learner.projector)
    criterion = VICRegLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9)
    images = _Images(random_images(case.steps * case.batch, case.size), VICRegTransform(input_size=case.size))
    workers = {} if bench.tiny else {"num_workers": bench.cores, "persistent_workers": True}
    loader = DataLoader(images, case.batch, shuffle=True, drop_last=True, pin_memory=bench.on_gpu, **workers)

    def steps() -> None:
        for pair in loader:
            views = [view.to(bench.device, non_blocking=True, memory_format=torch.channels_last) for view in pair]
            with autocast(spec.precision, bench.device):
                embeddings = [model(view) for view in views]
            criterion(*(z.float() for z in embeddings)).backward()
            optimizer.step()
            optimizer.zero_grad()

    return steps
