"""Check that a run resumed after 5 of 10 steps ends with the weights of an uninterrupted one."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import torch
from torch import Tensor

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import settings, training
from benchmarks.result import Section, Target
from mast.training import train

STEPS, STOP = 10, 5
ROUNDING = 1e-5
"""Tolerance if torch names an operation without a deterministic algorithm."""


def measure(bench: Bench) -> Section:
    section = Section("resuming", "Deterministic algorithms on; the largest difference of a weight at the end.")
    runs = (("VICReg", "fp32"), ("MAST-15", "bf16"), ("MAST-5", "fp16"))
    for name, precision in runs[2:] if bench.tiny else runs:
        with deterministic() as named:
            difference = _difference(bench, name, precision)
        for operation in dict.fromkeys(named):
            section.add(f"{name}, {precision}", f"no deterministic algorithm: {operation}", named.count(operation), "")
        bound = ROUNDING if named else 0
        section.targets.append(Target(f"{name}, {precision}: difference after resuming", difference, bound, False, ""))
    return section


@contextmanager
def deterministic() -> Iterator[list[str]]:
    """Use deterministic algorithms within the block; yield the operations without one, as they are found."""
    named: list[str] = []
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield named
        named += [str(each.message).split()[0] for each in caught if "deterministic" in str(each.message)]
    finally:
        torch.use_deterministic_algorithms(False)


def _difference(bench: Bench, name: str, precision: str) -> float:
    whole, resumed = _run(bench, name, precision, stop=None), _run(bench, name, precision, STOP)
    return max(float((whole[key].double() - resumed[key].double()).abs().max()) for key in whole)


def _run(bench: Bench, name: str, precision: str, stop: int | None) -> dict[str, Tensor]:
    case = bench.checked
    changes = {"encoder": {**case.encoder, "stem": "small"}}  # max-pooling has no deterministic gradient on a GPU
    changes["optimizer"] = {"name": "adamw", "lr": 1e-3, "warmup_epochs": 0}
    spec = settings(case, name, precision, log_every=4, **changes)
    with training(spec, case, bench.device, STEPS) as first:
        if stop is not None:
            for step in range(stop):
                first.step(step)
            first.checkpoints.save(stop, first.state())
        with training(spec, case, bench.device, STEPS) as second, redirect_stderr(io.StringIO()):
            train(second, "check", STEPS, case.batch, first.checkpoints)
            return {key: value.cpu() for key, value in second.learner.state_dict().items()}
