"""Started by test_distributed.py in one or several processes: one step of each method, its loss and gradients."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from mast.config.pretrain import PretrainSpec
from mast.data.prepare import prepare
from mast.data.prepared.batches import TrainingBatches
from mast.data.prepared.store import open_prepared
from mast.data.readers.shapes import ShapesData
from mast.distributed import ALONE, World, join
from mast.learner import Learner
from mast.pretraining.run import build_learner
from mast.settings import parse

BATCH = 16
TINY = {
    "dataset": "shapes",
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 6, 8, 10], "zero_init_residual": False},
    "projector": {"hidden": 12, "output": 8},
    "batch_size": BATCH,
}
MASKED = {"masks": {"covariance": "masked", "variance": "masked"}, "uncertainty": {"kind": "diagonal"}}
RELATIVE = {"uncertainty": {"kind": "isotropic"}}
LIKELIHOOD = {"pairing": {"mixture": {"subset": 1}}, "uncertainty": {"kind": "isotropic", "form": "likelihood"}}
CASES = {
    "supervised": {"method": "supervised"},
    "vicreg": {"method": "vicreg"},
    "mast": {"method": "mast"},
    "mast uncertainty": {"method": "mast", "mast": RELATIVE},
    "mast masked": {"method": "mast", "mast": MASKED},
    "mast likelihood": {"method": "mast", "mast": LIKELIHOOD},
    "augself": {"method": "augself", "augself": {"predict": {"crop": 1, "flip": 1, "jitter": 1}, "hue": "circle"}},
    "looc": {"method": "looc", "looc": {"spaces": [["flip"], ["jitter", "grayscale"]]}},
    "cassle": {"method": "cassle"},
    "simclr": {"method": "simclr"},
    "barlow-twins": {"method": "barlow-twins"},
}
Step = dict[str, torch.Tensor]


def make_data(directory: Path) -> Path:
    prepare("shapes", ShapesData(kind="shapes", train=48, test=10, size=16), directory)
    return directory


def step(settings: dict, data: Path, world: World = ALONE) -> Step:
    """Loss, terms, gradients and batch statistics after one step."""
    spec, prepared = parse(PretrainSpec, TINY | settings, "test").resolved(), open_prepared(data)
    torch.manual_seed(3)
    learner = build_learner(spec, prepared, world=world).train()
    labels = prepared.labels("train") if learner.method.NEEDS_LABELS else None
    batches = TrainingBatches(prepared.images("train"), labels, BATCH, seed=0)
    model = world.wrap(learner)
    drawn = learner.draw(BATCH, torch.Generator().manual_seed(5))
    outcome = model(*batches.batch(0, 0, world.rows(BATCH // world.size)), drawn)
    outcome.loss.backward()
    gradients = {name: p.grad for name, p in learner.named_parameters() if p.grad is not None}
    statistics = {name: value for name, value in learner.named_buffers() if "running" in name}
    return {"loss": outcome.loss.detach(), **outcome.terms, **gradients, **statistics}


@contextmanager
def float64() -> Iterator[None]:
    """Within the block, all behind the augmentations is computed in double precision, the loss included."""
    to_float32, build_view, train = torch.Tensor.float, Learner.view, Learner.train
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "float", lambda self: self if self.dtype == torch.float64 else to_float32(self))
        patch.setattr(Learner, "view", lambda self, *arguments: build_view(self, *arguments).double())
        patch.setattr(Learner, "train", lambda self, mode=True: train(self, mode).double())
        yield


def main(data: Path, output: Path) -> None:
    with join(torch.device("cpu")) as world:
        results = {case: step(settings, data, world) for case, settings in CASES.items()}
        with float64():
            precise = {f"{case}, float64": step(settings, data, world) for case, settings in CASES.items()}
        torch.save(results | precise, output / f"rank{world.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
