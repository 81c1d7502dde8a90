"""Features on the device compared with the CPU's."""

import numpy as np
import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import MEAN, STD, random_images
from benchmarks.gpu.parts import R18, R50
from benchmarks.result import Section, Target
from mast.evaluation.features import encode
from mast.models.encoder import build_encoder
from mast.models.settings import EncoderSpec

IMAGES, TOLERANCE = 32, 1e-3


def measure(bench: Bench) -> Section:
    section = Section("features", f"{IMAGES} images; the norm of the difference, relative to that of the features.")
    for name in (R18,) if bench.tiny else (R18, R50):
        case = bench.case(name)
        torch.manual_seed(0)
        encoder = build_encoder(EncoderSpec(**case.encoder, zero_init_residual=False))
        images = random_images(IMAGES, case.size)
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        expected, found = (
            np.concatenate(list(encode(encoder, images, mean, std, device, batch_size=20)))
            for device in ("cpu", str(bench.device))
        )
        error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        title = f"{case.name}: features, relative difference"
        section.targets.append(Target(title, float(error), TOLERANCE, False, ""))
    return section
