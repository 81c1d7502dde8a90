"""Augmentation only: from uint8 images on the device to normalised views."""

from collections.abc import Callable
from importlib.util import find_spec

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import MEAN, STD, build, random_images, settings
from benchmarks.gpu.parts import R18, R50
from benchmarks.result import Section, Target
from benchmarks.timing import alternate
from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.views import Drawn, Views

SECONDS = 5.0


def measure(bench: Bench) -> Section:
    section = Section("views", "Views per second: parameters drawn on the CPU, two views of each image, normalised.")
    for name in (R18,) if bench.tiny else (R18, R50):
        case = bench.case(name)
        images = torch.from_numpy(random_images(case.batch, case.size)).permute(0, 3, 1, 2).to(bench.device)
        tasks = {each: _ours(bench, name, each, images) for each in ("MAST-5", "MAST-15")}
        if find_spec("kornia") is not None:
            tasks["kornia"] = _kornia(images, case.size)
        times = alternate(tasks, 1 if bench.tiny else 20, SECONDS, bench.clock)
        for who, seconds in times.items():
            section.add(f"{case.size} px", who, 2 * len(images) / seconds, "views/s")
        if "kornia" in times:
            speedup = times["kornia"] / times["MAST-5"]
            section.targets.append(Target(f"views of {case.size} px, MAST-5 against kornia", speedup, 1))
    return section


def _ours(bench: Bench, name: str, method: str, images: torch.Tensor) -> Callable[[], None]:
    case = bench.case(name)
    learner = build(settings(case, method), case, bench.device)
    generator = torch.Generator().manual_seed(0)

    def views() -> None:
        drawn = Drawn.of_pair(draw_pair(learner.policy, COMPOSED, len(images), generator))
        for view in Views.of(images, drawn):
            learner.view(view)

    return views


def _kornia(images: torch.Tensor, size: int) -> Callable[[], None]:
    """Return kornia's version of the same five augmentations, with separate parameters for each image."""
    from kornia import augmentation as kornia

    kernel = 2 * (size // 20) + 1
    transform = torch.nn.Sequential(
        kornia.RandomResizedCrop((size, size), scale=(0.08, 1.0)),
        kornia.RandomHorizontalFlip(p=0.5),
        kornia.ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8),
        kornia.RandomGrayscale(p=0.2),
        kornia.RandomGaussianBlur((kernel, kernel), (0.1, 2.0), p=0.5),
        kornia.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    ).to(images.device)

    def views() -> None:
        planes = images.float() / 255
        for _ in range(2):
            transform(planes)

    return views
