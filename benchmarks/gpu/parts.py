"""The parts in the order in which they run, the most important first. Their modules are imported when they run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Part:
    module: str
    """Module of this package; it defines `measure(bench, **options)`, which returns a `benchmarks.result.Section`."""
    about: str
    seconds: float
    """Approximate duration on an H100, computed. The part is not started with less time left."""
    checks: bool = False
    """Whether it is a check of correctness, none of which may fail."""
    options: dict[str, Any] = field(default_factory=dict)

    def measure(self) -> Callable[..., Any]:
        """Return the module's function, without its `bench`."""
        return import_module(f"benchmarks.gpu.{self.module}").measure


def _step(case: str, precision: str, seconds: float, **options: Any) -> Part:
    how, peer = ("compiled", "not compiled") if options else (precision, "lightly")
    about = f"a whole step, {case}, {how}: against {peer} and the bare forward + backward"
    return Part("step", about, seconds, options={"name": case, "precision": precision, **options})


R18, R50 = "ResNet-18 at 96 px", "ResNet-50 at 224 px"

PARTS = {
    "agreement": Part("agreement", "ten steps: views, terms and gradients against the CPU's", 25, checks=True),
    "waiting": Part("waiting", "no step waits for the device between two logged lines", 20, checks=True),
    "precision": Part("precision", "bf16 and fp16 stay finite, and fp16's loss scale works", 8, checks=True),
    "resuming": Part("resuming", "a training stopped after 5 of 10 steps ends in the same weights", 8, checks=True),
    "layout": Part("layout", "channels_last from the first layer of the encoder to the last", 4, checks=True),
    "features": Part("features", "features against the CPU's", 6, checks=True),
    "transfer": Part("transfer", "a detector, fine-tuning and a linear head train a few steps", 20, checks=True),
    "memory": Part("memory", "out of memory is one line that names batch size and precision", 6, checks=True),
    "step-224": _step(R50, "bf16", 60),
    "step-96": _step(R18, "bf16", 30),
    "idle": Part("idle", "share of the time in which the device has nothing to do, by the profiler", 20),
    "objective": Part("objective", "value and gradient of 2048 embeddings of 8192 dimensions, against lightly", 10),
    "views": Part("views", "augmentation alone, and against kornia", 12),
    "decode": Part("decode", "JPEGs decoded per second with all cores, against what a step takes", 25),
    "processes": Part("processes", "two processes share the batch and the device", 30, checks=True),
    "compile": Part("compiling", "torch.compile gives the same loss", 60, checks=True),
    "step-96-fp32": _step(R18, "fp32", 30),
    "step-224-fp32": _step(R50, "fp32", 70),
    "compiled-96": _step(R18, "bf16", 60, compile=True),
    "compiled-224": _step(R50, "bf16", 80, compile=True),
}
