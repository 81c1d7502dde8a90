"""Device of the parts, and the networks and batches that they measure."""

import time
from dataclasses import dataclass

import torch

from benchmarks.gpu.parts import R18, R50


@dataclass(frozen=True)
class Case:
    """A network, the images that it is trained on, and the number of steps of one measurement."""

    name: str
    encoder: dict[str, object]
    size: int
    batch: int
    projector: int
    steps: int


CASES = {
    R18: Case(R18, {"name": "resnet18"}, size=96, batch=256, projector=2048, steps=40),
    R50: Case(R50, {"name": "resnet50"}, size=224, batch=256, projector=8192, steps=10),
}
"""Networks as config/paper trains them: on STL-10, and, with an eighth of the batch, on ImageNet."""

CHECKED = Case("ResNet-18 at 64 px", {"name": "resnet18"}, size=64, batch=32, projector=256, steps=10)
TINY = Case(
    "narrow ResNet at 32 px",
    {"name": "resnet-narrow", "stem": "small", "widths": [8, 8, 16, 16]},
    **{"size": 32, "batch": 8, "projector": 16, "steps": 2},
)


@dataclass(frozen=True)
class Bench:
    """The device and the size of a run."""

    device: torch.device
    cores: int
    tiny: bool = False

    def case(self, name: str) -> Case:
        """Return the case of this name, or the tiny one."""
        return TINY if self.tiny else CASES[name]

    @property
    def checked(self) -> Case:
        """Return the case for checks of correctness."""
        return TINY if self.tiny else CHECKED

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def clock(self) -> float:
        """Return seconds by the clock, after all queued work."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)
        return time.perf_counter()
