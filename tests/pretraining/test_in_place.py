"""Images that stay in place are cropped from their files with each step's random numbers, also after a resume."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mast.augment.pairing import draw_pair
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec
from mast.augment.views import View
from mast.checkpoint import Checkpoints
from mast.config.pretrain import PretrainSpec
from mast.data.crops import crops
from mast.data.prepare import prepare
from mast.data.prepared.batches import TrainingBatches
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.prepared.subset import Subset
from mast.data.readers.folder import FolderData
from mast.distributed import ALONE, World
from mast.evaluation.drawing import Drawing
from mast.learner import Learner
from mast.pretraining.metrics_log import MetricsLog
from mast.pretraining.run import build_learner
from mast.pretraining.trainee import Pretraining, shares, step_seed
from mast.settings import parse

SIZE, STEPS = 16, 3
TINY = {
    "dataset": "own",
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 4, 4, 4]},
    "projector": {"hidden": 8, "output": 8},
    "optimizer": {"name": "adamw", "lr": 0.01, "warmup_epochs": 0},
    "epochs": 2,
    "batch_size": 8,
    "accumulate": 2,
    "last_batch": "kept",
}
METHODS = {
    "mast": {"policy": {"augmentations": "mast15"}, "mast": {"pairing": {"subset_probability": 0.5}}},
    "looc": {"looc": {"spaces": [["crop"], ["jitter"]]}},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """Twenty photographs of noise, upright, lying and turned."""
    root, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    (root / "images").mkdir()
    for number in range(20):
        turned, sides = Image.Exif(), random.integers(10, 60, 2)
        turned[0x112] = int(random.choice([1, 6]))
        pixels = random.integers(0, 256, (*sides, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"images/{number:02d}.{random.choice(['png', 'jpg'])}", exif=turned)
    prepare("own", FolderData(kind="folder", root=str(root / "images"), size=SIZE, storage="index"), root / "data")
    return open_prepared(root / "data")


def training(data: PreparedData, folder: Path, method: str, world: World = ALONE) -> Pretraining:
    spec = parse(PretrainSpec, TINY | {"method": method} | METHODS[method], "test").resolved()
    torch.manual_seed(1)
    learner = build_learner(spec, data, world=world)
    parts = spec.accumulate * world.size
    batches = TrainingBatches(data.images("train"), None, spec.batch_size, 5, keep_last=True, parts=parts)
    return Pretraining(learner, batches, 5, Checkpoints(folder / "saved", {}), MetricsLog(folder / "metrics.jsonl"))


def seen_views(training_: Pretraining, steps: range, monkeypatch: pytest.MonkeyPatch) -> list[list[View]]:
    """Record what each part of each step is made from."""
    seen, original = [], Learner.view

    def watched(learner: Learner, view: View) -> torch.Tensor:
        seen[-1].append(view)
        return original(learner, view)

    monkeypatch.setattr(Learner, "view", watched)
    forward = Learner.forward
    monkeypatch.setattr(Learner, "forward", lambda *given: seen.append([]) or forward(*given))
    for step in steps:
        training_.step(step)
    return seen


def test_prepared_sizes_are_those_of_upright_images(data: PreparedData) -> None:
    sizes, turned = data.images("train").sizes(np.arange(20)), set()
    for name, own in zip(data.paths("train"), sizes.tolist(), strict=True):
        with Image.open(Path(data.manifest.index.root) / name.decode()) as image:
            turned.add(image.getexif()[0x112])
            assert tuple(own) == (image.size[::-1] if image.getexif()[0x112] == 6 else image.size)
    assert turned == {1, 6}


def test_views_are_crops_of_the_files_at_the_boxes_of_the_step(
    data: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written out again: rows, sizes, draws and files."""
    trained = training(data, tmp_path, "mast")
    seen = seen_views(trained, range(STEPS), monkeypatch)
    images, root, differing = data.images("train"), Path(data.manifest.index.root), set()
    for step in range(STEPS):
        rows, generator = trained.batches.indices(0, step), torch.Generator().manual_seed(step_seed(5, step))
        for part, own in enumerate(np.split(rows, 2)):
            policy = trained.learner.policy.in_place(torch.from_numpy(images.sizes(own)))
            pair = draw_pair(policy, trained.learner.method.pairing(), len(own), generator)
            for view, params in zip(seen[2 * step + part], (pair.a, pair.b), strict=True):
                assert view.cropped and all(torch.equal(view.params[name], params[name]) for name in params)
                for row, image, box in zip(own, view.images, params["crop"][:, 1:].numpy(), strict=True):
                    file = root / data.paths("train")[row].decode()
                    assert torch.equal(image.permute(1, 2, 0), torch.from_numpy(crops(file, box[None], SIZE)[0]))
            a, b = (view.images for view in seen[2 * step + part])
            for crop, other, active in zip(a, b, pair.active[:, 0].tolist(), strict=True):
                assert torch.equal(crop, other) != active
                differing.add(active)
    assert differing == {True, False}


@pytest.mark.parametrize("method", METHODS)
def test_going_on_at_any_step_gives_the_same_weights(method: str, data: PreparedData, tmp_path: Path) -> None:
    through = training(data, tmp_path, method)
    assert through.steps == 2 * STEPS and [through.batches.size(step) for step in range(STEPS)] == [8, 8, 4]
    for step in range(3):
        through.step(step)
    resumed = training(data, tmp_path, method)
    torch.save(through.state(), tmp_path / "state.pt")
    resumed.load(torch.load(tmp_path / "state.pt", weights_only=False))
    for step in range(3, 5):
        through.step(step), resumed.step(step)
    weights, others = (each.learner.state_dict() for each in (through, resumed))
    assert all(torch.equal(weights[name], others[name]) for name in weights)


class Side(World):
    """One of several processes, whose others are not there."""

    def wrap(self, model: torch.nn.Module) -> torch.nn.Module:
        return model

    def prepare(self, model: torch.nn.Module) -> None:
        """Do nothing: there is nothing to share."""


def test_processes_crop_what_one_would(data: PreparedData, tmp_path: Path) -> None:
    alone = training(data, tmp_path, "mast")
    sides = [training(data, tmp_path, "mast", Side(rank, 2)) for rank in range(2)]
    for epoch, within in product(range(2), range(STEPS - 1)):  # the last is filled up for more processes
        expected = [alone._crops(epoch, within, share).boxes for share in alone.shares[alone.batches.size(within)]]
        found = [
            [
                each._crops(epoch, within, share).boxes
                for share in shares(each.spec, each.world, each.batches.size(within))
            ]
            for each in sides
        ]
        for part, boxes in enumerate(expected):
            assert np.array_equal(np.concatenate([own[part] for own in found], axis=1), boxes)


def test_without_crop_they_are_taken_as_prepared(data: PreparedData, tmp_path: Path) -> None:
    spec = parse(PretrainSpec, TINY | {"method": "vicreg", "policy": {"augmentations": ["flip"]}}, "test").resolved()
    batches = TrainingBatches(data.images("train"), None, spec.batch_size, 5)
    learner, folder = build_learner(spec, data), tmp_path
    assert Pretraining(learner, batches, 5, Checkpoints(folder, {}), MetricsLog(folder / "log")).crops is None


@pytest.mark.parametrize("chosen", [lambda images: images, lambda images: Subset(images, np.arange(3, 17))])
def test_images_of_heads_are_cropped_ahead_and_resumed(chosen: Callable, data: PreparedData) -> None:
    """The same holds if the last batch is smaller; the generator's state is the one before the next step."""
    policy = Policy(PolicySpec(augmentations=("crop", "flip")), SIZE)
    images = chosen(data.images("train"))

    def drawing() -> tuple[TrainingBatches, Drawing]:
        batches = TrainingBatches(images, None, 6, 3, keep_last=True)
        return batches, Drawing(policy, batches, 7, "bilinear")

    def view(batches: TrainingBatches, drawn: Drawing, step: int) -> torch.Tensor:
        cropped, _ = batches.batch(*divmod(step, batches.steps_per_epoch), crops=drawn.crops)
        assert cropped.dim() == 5
        return drawn.view(step, cropped)

    running, generator = drawing(), torch.Generator().manual_seed(7)
    views, states = [], []
    for step in range(2 * running[0].steps_per_epoch):
        states.append(running[1].state())
        assert torch.equal(states[-1], generator.get_state())
        views.append(view(*running, step))
        policy.sample(len(views[-1]), 0, generator)
    for start in (1, len(views) - 2):
        batches, drawn = drawing()
        drawn.load(states[start])
        for step in range(start, len(views)):
            assert torch.equal(view(batches, drawn, step), views[step])
