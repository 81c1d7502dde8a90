"""Check that torch.compile of encoder and projector gives the same loss and gradients."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from unittest import mock

import torch
from torch import nn

from benchmarks.gpu.agreement import gradient_error
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import build, random_images, settings
from benchmarks.result import Section, Target
from mast.evaluation.features import exact_float32
from mast.learner import Learner

TOLERANCE = 1e-4


def measure(bench: Bench) -> Section:
    section = Section("compile", "One step in fp32 without TF32, MAST-15: compiled against not, relative differences.")
    case = bench.checked
    images = torch.from_numpy(random_images(case.batch, case.size)).permute(0, 3, 1, 2).to(bench.device)
    spec = settings(case, "MAST-15", encoder={**case.encoder, "zero_init_residual": False})
    plain, compiled = (build(spec, case, bench.device).train() for _ in range(2))
    started = bench.clock()
    with exact_float32():
        expected = _step(plain, images)
        with compiler(bench):
            compiled.compile_networks()
        found = _step(compiled, images)
    section.add("compiling and a step", case.name, bench.clock() - started, "s")
    section.targets += [
        Target("compile: loss", abs(found[0] / expected[0] - 1), TOLERANCE, False, ""),
        Target("compile: gradients", gradient_error(expected[1], found[1]), TOLERANCE, False, ""),
    ]
    return section


@contextmanager
def compiler(bench: Bench) -> Iterator[None]:
    """Return the compiler of `compile: true`; the tiny version traces and differentiates without the slow compiler."""
    if not bench.tiny:
        yield
        return
    traced = partialmethod(nn.Module.compile, backend="aot_eager")
    with mock.patch.object(nn.Module, "compile", traced), mock.patch("mast.learner.missing_compiler", lambda _: None):
        yield


def _step(learner: Learner, images: torch.Tensor) -> tuple[float, dict[str, torch.Tensor]]:
    outcome = learner(images, None, learner.draw(len(images), torch.Generator().manual_seed(1)))
    outcome.loss.backward()
    return outcome.loss.item(), {name: p.grad.cpu() for name, p in learner.named_parameters() if p.grad is not None}
