"""Ten steps (two in the tiny case) on the device and on the CPU, with the same weights and draws."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import METHODS_AND_SETS, STD, settings, training
from benchmarks.result import Section, Target
from mast.augment.views import View
from mast.evaluation.features import exact_float32
from mast.learner import Learner
from mast.methods import Outcome
from mast.pretraining.trainee import Pretraining

LEVEL = 1 / 255
FEW = 1e-4
"""Share of the values of MAST-15's views that may differ by more. A value between two of 8 bits may be rounded either
way, and posterize and equalize turn this into more than one level.
"""
TOLERANCE = 1e-4


@dataclass
class Seen:
    """What a training run recorded of its steps."""

    views: list[Tensor] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


def measure(bench: Bench) -> Section:
    section = Section("agreement", f"{bench.checked.steps} steps in fp32 without TF32, on the CPU's views.")
    with exact_float32():
        for name in METHODS_AND_SETS:
            views, terms, gradients = (max(errors) for errors in zip(*_errors(bench, name), strict=True))
            what = "values of views more than 1/255 off" if name == "MAST-15" else "largest difference of views"
            bound, unit = (FEW, "") if name == "MAST-15" else (LEVEL, "")
            section.targets += [
                Target(f"{name}: {what}", views, bound, False, unit),
                Target(f"{name}: terms, relative difference", terms, TOLERANCE, False, ""),
                Target(f"{name}: gradients, relative difference", gradients, TOLERANCE, False, ""),
            ]
    return section


def _errors(bench: Bench, name: str) -> Iterator[tuple[float, float, float]]:
    """Return for each step the error of views, terms and gradients."""
    case = bench.checked
    spec = settings(case, name, log_every=2 * case.steps)
    with (
        training(spec, case, torch.device("cpu"), case.steps) as reference,
        training(spec, case, bench.device, case.steps) as tested,
    ):
        expected, found = _watch(reference.learner), _watch(tested.learner)
        _show_views_of(expected, tested.learner, found)
        for step in range(case.steps):
            tested.learner.load_state_dict(reference.learner.state_dict())
            for training_ in (reference, tested):
                training_.step(step)
            yield (
                max(_view_error(a, b, name) for a, b in zip(expected.views, found.views, strict=True)),
                _term_error(expected.outcomes[-1], found.outcomes[-1]),
                gradient_error(_gradients(reference), _gradients(tested)),
            )
            expected.views.clear(), found.views.clear()


def _watch(learner: Learner) -> Seen:
    seen, view = Seen(), learner.view

    def watched(given: View) -> Tensor:
        seen.views.append(view(given))
        return seen.views[-1]

    learner.view = watched
    learner.register_forward_hook(lambda _learner, _inputs, outcome: seen.outcomes.append(outcome))
    return seen


def _show_views_of(expected: Seen, learner: Learner, found: Seen) -> None:
    """Give the learner's networks the views that another learner drew, one by one."""
    own = learner.view

    def other(given: View) -> Tensor:
        own(given)
        view = expected.views[len(found.views) - 1].to(given.images.device)
        return view.contiguous(memory_format=torch.channels_last)

    learner.view = other


def _view_error(expected: Tensor, found: Tensor, name: str) -> float:
    """Return the largest difference on the scale of [0, 1]; for MAST-15 the share of values that differ by more than a
    level.
    """
    difference = (found.detach().cpu() - expected).abs() * STD[0]
    return float((difference > LEVEL + 1e-6).double().mean() if name == "MAST-15" else difference.max())


def _term_error(expected: Outcome, found: Outcome) -> float:
    pairs = [(value.item(), found.terms[name].item()) for name, value in expected.terms.items()]
    return max(abs(b - a) / max(abs(a), 1e-3) for a, b in pairs)


def _gradients(trained: Pretraining) -> dict[str, Tensor]:
    return {name: p.grad.detach().cpu() for name, p in trained.learner.named_parameters() if p.grad is not None}


def gradient_error(expected: dict[str, Tensor], found: dict[str, Tensor]) -> float:
    """Return the norm of the difference of gradients relative to their norm: of all parameters together, in float64."""
    if expected.keys() != found.keys():
        raise AssertionError(f"gradients of other parameters: {sorted(expected.keys() ^ found.keys())[:3]}")
    difference = sum((found[name].double() - value.double()).square().sum() for name, value in expected.items())
    return float((difference / sum(value.double().square().sum() for value in expected.values())).sqrt())
