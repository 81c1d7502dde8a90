"""Decode JPEG files to two random crops of 224 pixels, as for images that stay in place, against torchvision's loader.

The CPU time of all threads and processes is counted, so that the cost on one core shows on a busy machine too.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import Compose, InterpolationMode, RandomResizedCrop, ToTensor

from benchmarks.result import Section, Target
from benchmarks.timing import alternate
from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec
from mast.augment.views import Drawn, Views
from mast.data.crops import CropBoxes, Interpolation
from mast.data.prepared.index import IndexedImages
from mast.models.encoder import normalise

SIZE = 224
SIDES = {"500 × 375": (500, 375), "2,560 × 1,920": (2560, 1920)}
"""Sizes of images: about the median of ImageNet's images, and a photograph of a phone of some years ago."""
FILES = {"500 × 375": 32, "2,560 × 1,920": 4}
QUALITY = 92

Task = Callable[[], object]


def measure(quick: bool) -> Section:
    section = Section(
        "decode", f"Images per second of CPU time: JPEG files, each to two random resized crops of {SIZE} px."
    )
    for case, count in FILES.items():
        if quick and case != "500 × 375":
            continue
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_photographs(root / "all", count, SIDES[case])
            tasks = _tasks(root, root / "all", only_crops=case != "500 × 375")
            times = alternate(tasks, 9, 20 if quick else 60, cpu_seconds)
            for name, seconds in times.items():
                section.add(case, name, count / seconds, "images/s")
            if case == "500 × 375":
                section.targets += _targets(times)
    if not quick:
        with tempfile.TemporaryDirectory() as folder:
            _add_threads(section, Path(folder), 4 * FILES["500 × 375"])
    return section


def _targets(times: dict[str, float]) -> list[Target]:
    return [
        Target(f"JPEGs to {each} crops, against torchvision", times[f"torchvision, {each}"] / times[f"ours, {each}"], 2)
        for each in ("bicubic", "bilinear")
    ]


def _add_threads(section: Section, root: Path, count: int) -> None:
    """Measure how one and two threads, or processes, share the work: by the clock and in CPU time, including their
    start.
    """
    write_photographs(root / "all", count, SIDES["500 × 375"])
    tasks = {f"ours, {threads} thread(s)": _ours(root / "all", "bicubic", threads) for threads in (1, 2)}
    tasks |= {f"torchvision, {workers} process(es)": _torchvisions(root, "bicubic", workers) for workers in (1, 2)}
    for unit, clock in (("images/s of CPU time", cpu_seconds), ("images/s by the clock", time.perf_counter)):
        for name, seconds in alternate(tasks, 7, 30, clock).items():
            section.add("500 × 375, bicubic", name, count / seconds, unit)


def _tasks(root: Path, files: Path, only_crops: bool) -> dict[str, Task]:
    tasks = {}
    for interpolation in ("bicubic", "bilinear"):
        tasks[f"torchvision, {interpolation}"] = _torchvisions(root, interpolation)
        tasks[f"ours, {interpolation}"] = _ours(files, interpolation)
    if only_crops:
        return tasks
    tasks["ours, views of the policy vicreg"] = _ours(files, "bicubic", augmentations="vicreg")
    if find_spec("lightly") is not None:
        from lightly.transforms.vicreg_transform import VICRegTransform

        tasks["lightly VICRegTransform"] = _loader(root, VICRegTransform(input_size=SIZE), 0)
    return tasks


def _ours(files: Path, interpolation: Interpolation, threads: int = 1, augmentations: object = ("crop",)) -> Task:
    """Draw and cut boxes and, with other augmentations, make the views from the crops."""
    paths = sorted(files.iterdir())
    with Image.open(paths[0]) as image:
        sizes = np.array([image.size] * len(paths))
    names = np.array([path.name.encode() for path in paths])
    images, rows = IndexedImages(files, names, SIZE, threads, sizes=sizes), np.arange(len(paths))
    policy, generator = Policy(PolicySpec(augmentations=augmentations), SIZE), torch.Generator().manual_seed(0)
    mean, std = torch.full((1, 3, 1, 1), 0.5), torch.full((1, 3, 1, 1), 0.25)

    def crops() -> None:
        placed = policy.in_place(torch.from_numpy(images.sizes(rows)))
        drawn = Drawn.of_pair(draw_pair(placed, COMPOSED, len(rows), generator))
        cut = torch.from_numpy(images.crops(rows, CropBoxes(drawn.boxes(slice(None)), interpolation)))
        for view in Views.of(cut.movedim(-1, -3), drawn) if len(policy.names) > 1 else ():
            normalise(view.augmented(policy, slice(None)), mean, std)

    return crops


def _torchvisions(root: Path, interpolation: Interpolation, workers: int = 0) -> Task:
    crop = Compose([RandomResizedCrop(SIZE, interpolation=InterpolationMode(interpolation)), ToTensor()])
    return _loader(root, lambda image: (crop(image), crop(image)), workers)


def _loader(root: Path, transform: Callable[[Image.Image], object], workers: int) -> Task:
    folder = ImageFolder(str(root), transform)
    context = {"num_workers": workers, "multiprocessing_context": "fork" if workers else None}
    return lambda: [None for _ in DataLoader(folder, min(16, len(folder)), **context)]


def cpu_seconds() -> float:
    """Return the CPU time of this process, all its threads, and the processes that it started and that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def write_photographs(folder: Path, count: int, sides: tuple[int, int]) -> None:
    """Write JPEG files of parts of scikit-learn's two photographs, resized to these sides."""
    folder.mkdir()
    random, photographs = np.random.default_rng(0), [Image.fromarray(each) for each in load_sample_images().images]
    for number in range(count):
        left, top = (int(random.integers(0, room + 1)) for room in (100, 50))
        part = photographs[number % 2].crop((left, top, left + 500, top + 375))
        part.resize(sides, Image.Resampling.BICUBIC).save(folder / f"{number:03d}.jpg", quality=QUALITY)
