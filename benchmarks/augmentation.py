"""Views per second, from uint8 images to normalised float views."""

from collections.abc import Callable

import numpy as np
import torch
from lightly.transforms.utils import IMAGENET_NORMALIZE
from lightly.transforms.vicreg_transform import VICRegTransform
from PIL import Image
from torchvision.transforms import v2

from benchmarks.result import Section, Target
from benchmarks.timing import DEVICE, alternate
from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec
from mast.models.encoder import normalise

BATCHES = {32: 256, 96: 64, 224: 16}
"""Image size → number of images per batch."""
TARGETS = {32: 4.0, 96: 2.0}
MEAN, STD = (torch.tensor(IMAGENET_NORMALIZE[key], device=DEVICE).view(1, 3, 1, 1) for key in ("mean", "std"))


def measure(quick: bool) -> Section:
    section = Section("augmentation", "Views per second, one thread; both views of each image, normalised.")
    for size, count in BATCHES.items():
        if quick and size != 32:
            continue
        pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        tasks = {
            "lightly VICRegTransform": _lightly(pixels, size),
            "torchvision v2": _torchvision(pixels, size),
            "mast5": _ours(pixels, size, "mast5"),
            "mast15": _ours(pixels, size, "mast15"),
        }
        times = alternate(tasks, 15, 12)
        for name, seconds in times.items():
            section.add(f"{size} px", name, 2 * count / seconds, "views/s")
        if size in TARGETS:
            speedup = times["lightly VICRegTransform"] / times["mast5"]
            section.targets.append(Target(f"augmentation at {size} px, against lightly", speedup, TARGETS[size]))
    return section


def _ours(pixels: np.ndarray, size: int, name: str) -> Callable[[], None]:
    policy = Policy(PolicySpec(augmentations=name), size)
    generator = torch.Generator().manual_seed(0)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)

    def views() -> None:
        on_device = images.to(DEVICE, non_blocking=True)
        pair = draw_pair(policy, COMPOSED, len(images), generator)
        for parameters in (pair.a, pair.b):
            normalise(policy.apply(on_device, parameters), MEAN, STD)

    return views


def _lightly(pixels: np.ndarray, size: int) -> Callable[[], None]:
    transform = VICRegTransform(input_size=size)
    images = [Image.fromarray(image) for image in pixels]
    return lambda: [torch.stack(view) for view in zip(*map(transform, images), strict=True)]


def _torchvision(pixels: np.ndarray, size: int) -> Callable[[], None]:
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(size, scale=(0.08, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(2 * (size // 20) + 1, (0.1, 2.0))], p=0.5),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_NORMALIZE["mean"], IMAGENET_NORMALIZE["std"]),
        ]
    )
    images = [torch.from_numpy(image).permute(2, 0, 1).contiguous() for image in pixels]
    return lambda: [torch.stack([transform(image) for image in images]) for _ in range(2)]
