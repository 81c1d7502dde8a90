"""JPEGs decoded per second with all cores, as an index of images is read, against what a step takes."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.gpu import loops
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import settings
from benchmarks.gpu.parts import R50
from benchmarks.result import Section, Target
from mast.data.prepared.batches import TrainingBatches
from mast.data.prepared.index import IndexedImages

WIDTH, HEIGHT = 500, 375
"""Of the middle one of ImageNet's images, about."""
FILES, BATCHES = 512, 8


def measure(bench: Bench) -> Section:
    case = bench.case(R50)
    about = f"JPEGs of {WIDTH} × {HEIGHT} to {case.size} px with {bench.cores} threads; the step in bf16."
    section = Section("decode", about)
    count = case.batch if bench.tiny else FILES
    with tempfile.TemporaryDirectory() as folder:
        paths = np.array([_write(Path(folder), number) for number in range(count)])
        images = IndexedImages(Path(folder), paths, case.size, bench.cores)
        batches = TrainingBatches(images, None, case.batch, 0, pin_memory=bench.on_gpu)
        batches.batch(0, 0)
        before = bench.clock()
        steps = range(1, 1 + (1 if bench.tiny else BATCHES))
        for step in steps:
            batches.batch(*divmod(step, batches.steps_per_epoch))
        decoded = len(steps) * case.batch / (bench.clock() - before)
    with loops.ours(bench, case, settings(case, "VICReg", "bf16")) as step:
        step()
        before = bench.clock()
        step()
        taken = case.steps * case.batch / (bench.clock() - before)
    section.add("all cores", "decoded", decoded, "images/s")
    section.add("a step", "taken", taken, "images/s")
    section.targets.append(Target("JPEGs decoded against those that a step takes", decoded / taken, 1))
    return section


def _write(folder: Path, number: int) -> bytes:
    """A JPEG of smooth random colours with some noise, about 50 to 100 kB."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (HEIGHT // 25, WIDTH // 25, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int16)
    pixels = (smooth + random.integers(-12, 13, smooth.shape)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / f"{number}.jpg", quality=90)
    return f"{number}.jpg".encode()
