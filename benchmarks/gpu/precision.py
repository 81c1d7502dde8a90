"""Check that reduced precisions stay finite, and that float16's loss scale skips steps that overflow."""

import math

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import settings, training
from benchmarks.result import Section, Target
from mast.pretraining.trainee import Pretraining

STEPS = 10
OVERFLOWS = 2.0**40
"""A loss scale with which gradients in float16 overflow."""


def measure(bench: Bench) -> Section:
    section = Section("precision", f"{STEPS} steps of each; the share of finite losses and weights.")
    for name in ("MAST-15",) if bench.tiny else ("VICReg", "MAST-15", "supervised"):
        for precision in ("bf16", "fp16"):
            section.targets.append(Target(f"{name}, {precision}: finite", _finite(bench, name, precision), 1, unit=""))
    for optimizer in ("lars", "adamw"):
        moved, halved, trained = _scaled(bench, optimizer)
        section.targets += [
            Target(f"fp16, {optimizer}: weights changed by a step that overflows", moved, 0, False, ""),
            Target(f"fp16, {optimizer}: scale after it, of the scale before", halved, 0.5, False, ""),
            Target(f"fp16, {optimizer}: share of weights changed by later steps", trained, 0.9, unit=""),
        ]
    return section


def _finite(bench: Bench, name: str, precision: str) -> float:
    spec = settings(bench.checked, name, precision, log_every=1)
    with training(spec, bench.checked, bench.device, STEPS) as trained:
        for step in range(STEPS):
            trained.step(step)  # a logged line that is not finite raises
        values = [record["loss"] for record in trained.log.records]
        finite = [torch.isfinite(tensor).all().item() for tensor in trained.learner.state_dict().values()]
    return float(sum(map(math.isfinite, values)) / len(values) * sum(finite) / len(finite))


def _scaled(bench: Bench, optimizer: str) -> tuple[float, float, float]:
    """Return the share of weights changed by a step that overflows; the scale after it; the share changed by later
    steps.
    """
    small = {"name": optimizer, "lr": 1e-3 if optimizer == "adamw" else 0.2, "warmup_epochs": 0}
    spec = settings(bench.checked, "MAST-5", "fp16", optimizer=small)
    with training(spec, bench.checked, bench.device, STEPS) as trained:
        trained.scaler = torch.amp.GradScaler(bench.device.type, init_scale=OVERFLOWS)
        start = _weights(trained)
        trained.step(0)
        moved, scale = _changed(start, _weights(trained)), trained.scaler.get_scale() / OVERFLOWS
        trained.scaler = torch.amp.GradScaler(bench.device.type, init_scale=1024.0)
        for step in range(1, STEPS):
            trained.step(step)
        return moved, scale, _changed(start, _weights(trained))


def _weights(trained: Pretraining) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten().cpu() for parameter in trained.learner.parameters()])


def _changed(before: torch.Tensor, after: torch.Tensor) -> float:
    return float((before != after).double().mean())
