"""Check that tensors stay in channels_last from the first layer of the encoder to the last, and in weight gradients."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import settings, training
from benchmarks.gpu.parts import R18, R50
from benchmarks.result import Section, Target


def measure(bench: Bench) -> Section:
    section = Section("layout", "Share of the tensors with four dimensions that lie in channels_last memory.")
    for name in (R18,) if bench.tiny else (R18, R50):
        for precision in ("fp32", "bf16"):
            activations, gradients = _shares(bench, name, precision)
            section.targets += [
                Target(f"{bench.case(name).name}, {precision}: inputs and outputs of layers", activations, 1, unit=""),
                Target(f"{bench.case(name).name}, {precision}: gradients of weights", gradients, 1, unit=""),
            ]
    return section


def _shares(bench: Bench, name: str, precision: str) -> tuple[float, float]:
    case, kept = replace(bench.case(name), batch=8), []

    def note(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kept.extend(_is_kept(tensor) for tensor in (*inputs, output) if tensor.dim() == 4)

    with training(settings(case, "VICReg", precision, log_every=100), case, bench.device, 1) as trained:
        encoder = trained.learner.encoder
        for module in encoder.modules():
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                module.register_forward_hook(note)
        trained.step(0)
        gradients = [_is_kept(weight.grad) for weight in encoder.parameters() if weight.dim() == 4]
    return sum(kept) / len(kept), sum(gradients) / len(gradients)


def _is_kept(tensor: Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last)
