"""Value and gradient of the objective for many wide embeddings, compared with lightly's."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.loops import has_lightly
from benchmarks.result import Section, Target
from benchmarks.timing import alternate
from mast.config.pretrain import ObjectiveSpec
from mast.models.masks import Masks
from mast.models.settings import MaskSpec, UncertaintySpec
from mast.objectives.mast import mast_terms
from mast.objectives.vicreg import vicreg_terms

COUNT, DIMENSIONS, SECONDS = 2048, 8192, 5.0
WEIGHTS = ObjectiveSpec().model_dump()


def measure(bench: Bench) -> Section:
    count, dimensions = (16, 64) if bench.tiny else (COUNT, DIMENSIONS)
    case = f"n {count}, d {dimensions}"
    section = Section("objective", "Milliseconds for value and gradient in float32.")
    objectives = _objectives(bench, count, dimensions)
    times = alternate(
        {name: _with_gradient(objective) for name, objective in objectives.items()},
        *(1 if bench.tiny else 20, SECONDS, bench.clock),
    )
    for name, seconds in times.items():
        section.add(case, name, 1e3 * seconds, "ms")
    ratio = times["MAST-15"] / times["VICReg"]
    section.targets.append(Target(f"objective at {case}, MAST-15 / VICReg", ratio, 1.3, False))
    if "lightly" in objectives:
        ours, other = (float(objectives[name]().detach()) for name in ("VICReg", "lightly"))
        section.add(case, "relative difference of VICReg's and lightly's value", abs(ours / other - 1), "")
        speedup = times["lightly"] / times["VICReg"]
        section.targets.append(Target(f"objective at {case}, against lightly", speedup, 5))
    return section


def _objectives(bench: Bench, count: int, dimensions: int) -> dict[str, Callable[[], Tensor]]:
    generator = torch.Generator(bench.device).manual_seed(0)
    shared, *noise = torch.randn(3, count, dimensions, generator=generator, device=bench.device)
    z_a, z_b = ((shared + 0.5 * own).requires_grad_() for own in noise)
    torch.manual_seed(0)
    spec, uncertainty = MaskSpec(), UncertaintySpec()
    masks = Masks(15, dimensions, spec).to(bench.device)
    active = torch.ones(count, 15, dtype=torch.bool, device=bench.device)
    objectives = {
        "VICReg": lambda: _weighted(vicreg_terms(z_a, z_b)),
        "MAST-15": lambda: _weighted(mast_terms(z_a, z_b, masks(), active, spec, uncertainty)),
    }
    if has_lightly():
        from lightly.loss import VICRegLoss

        peer = VICRegLoss()
        objectives["lightly"] = lambda: peer(z_a, z_b)
    return objectives


def _weighted(terms: dict[str, Tensor]) -> Tensor:
    return sum(WEIGHTS.get(name, 1.0) * term for name, term in terms.items())


def _with_gradient(objective: Callable[[], Tensor]) -> Callable[[], None]:
    return lambda: objective().backward()
