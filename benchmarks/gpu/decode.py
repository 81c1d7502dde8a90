"""JPEGs decoded and cropped per second with all cores, as for an index of images, compared with the needs of a step."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.decode import SIDES, write_photographs
from benchmarks.gpu import loops
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import settings
from benchmarks.gpu.parts import R50
from benchmarks.result import Section, Target
from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec
from mast.augment.views import Drawn
from mast.data.crops import PRETRAINING, CropBoxes
from mast.data.prepared.batches import TrainingBatches
from mast.data.prepared.index import IndexedImages

SIDE = "500 × 375"
FILES, BATCHES = 512, 8


def measure(bench: Bench) -> Section:
    case = bench.case(R50)
    about = f"JPEGs of {SIDE} to two crops of {case.size} px with {bench.cores} threads; the step in bf16."
    section = Section("decode", about)
    count = case.batch if bench.tiny else FILES
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "all")
        write_photographs(root, count, SIDES[SIDE])
        paths = np.array([path.name.encode() for path in sorted(root.iterdir())])
        images = IndexedImages(root, paths, case.size, bench.cores, sizes=np.array([SIDES[SIDE]] * count))
        batches = TrainingBatches(images, None, case.batch, 0, pin_memory=bench.on_gpu)
        policy = Policy(PolicySpec(augmentations=("crop",)), case.size)

        def boxes(epoch: int, step: int, share: slice) -> CropBoxes:
            sizes, generator = batches.sizes(epoch, step)[share], torch.Generator().manual_seed(step)
            pair = draw_pair(policy.in_place(sizes), COMPOSED, len(sizes), generator)
            return CropBoxes(Drawn.of_pair(pair).boxes(slice(None)), PRETRAINING)

        batches.batch(0, 0, crops=boxes)
        before = bench.clock()
        steps = range(1, 1 + (1 if bench.tiny else BATCHES))
        for step in steps:
            batches.batch(*divmod(step, batches.steps_per_epoch), crops=boxes)
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
