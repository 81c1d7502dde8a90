"""Value and gradient of the objectives at given embeddings."""

from collections.abc import Callable

import torch
from lightly.loss import VICRegLoss

from benchmarks.memory import in_new_process, peak_megabytes
from benchmarks.result import Section, Target
from benchmarks.timing import DEVICE, alternate
from mast.config.pretrain import ObjectiveSpec
from mast.methods.mast import MastSpec
from mast.models.masks import Masks
from mast.models.settings import MaskSpec
from mast.objectives.mast import mast_terms
from mast.objectives.vicreg import vicreg_terms

SHAPES = ((256, 2048), (256, 8192), (1024, 8192))
WEIGHTS = ObjectiveSpec().model_dump()
MASKED = MastSpec(masks=MaskSpec(covariance="masked", variance="masked"))

Objective = Callable[[], torch.Tensor]


def measure(quick: bool) -> Section:
    section = Section("objective", "Milliseconds for value and gradient, embeddings [n, d], one thread.")
    for count, dims in SHAPES[:1] if quick else SHAPES:
        case = f"n {count}, d {dims}"
        objectives = build(count, dims)
        values = {name: float(objective().detach()) for name, objective in objectives.items() if "MAST" not in name}
        times = alternate({name: _with_gradient(task) for name, task in objectives.items()}, 9, 25)
        for name, seconds in times.items():
            section.add(case, name, 1e3 * seconds, "ms")
        difference = abs(values["VICReg"] / values["lightly"] - 1)
        section.add(case, "relative difference of VICReg's and lightly's value", difference, "")
        speedup = times["lightly"] / times["VICReg"]
        if quick or (count, dims) == (256, 8192):
            section.targets.append(Target(f"objective at {case}, against lightly", speedup, 20))
        if quick or (count, dims) == (1024, 8192):
            section.targets.append(Target(f"MAST15 / MAST1 at {case}", times["MAST15"] / times["MAST1"], 1.3, False))
    if not quick:
        memory = {name: in_new_process(_peak, name, *SHAPES[-1]) for name in objectives if "masked" not in name}
        for name, megabytes in memory.items():
            section.add(case, name, megabytes, "MB")
        section.targets.append(Target("memory of MAST15 / VICReg", memory["MAST15"] / memory["VICReg"], 1.2, False))
    return section


def build(count: int, dims: int) -> dict[str, Objective]:
    """Return objectives of the same two batches of embeddings."""
    generator = torch.Generator().manual_seed(0)
    shared, *noise = torch.randn(3, count, dims, generator=generator)
    z_a, z_b = ((shared + 0.5 * own).to(DEVICE).requires_grad_() for own in noise)
    peer = VICRegLoss()
    objectives: dict[str, Objective] = {
        "lightly": lambda: peer(z_a, z_b),
        "VICReg": lambda: _weighted(vicreg_terms(z_a, z_b)),
    }
    for augmentations in (1, 5, 15):
        objectives[f"MAST{augmentations}"] = _mast(z_a, z_b, augmentations, MastSpec())
    objectives["MAST15, masked covariance"] = _mast(z_a, z_b, 15, MASKED)
    return objectives


def _mast(z_a: torch.Tensor, z_b: torch.Tensor, augmentations: int, spec: MastSpec) -> Objective:
    masks = Masks(augmentations, z_a.shape[1], spec.masks).to(DEVICE)
    variance = torch.full((len(z_a), 1), 0.5, device=DEVICE, requires_grad=True)
    active = torch.ones(len(z_a), augmentations, dtype=torch.bool, device=DEVICE)
    return lambda: _weighted(mast_terms(z_a, z_b, masks(), active, spec.masks, spec.uncertainty, variance, variance))


def _weighted(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    return sum(WEIGHTS.get(name, 1.0) * term for name, term in terms.items())


def _with_gradient(objective: Objective) -> Callable[[], None]:
    return lambda: objective().backward()


def _peak(name: str, count: int, dims: int) -> float:
    _with_gradient(build(64, 512)[name])()  # so that code and caches of the libraries are not counted
    objective = build(count, dims)[name]
    return peak_megabytes(_with_gradient(objective))
