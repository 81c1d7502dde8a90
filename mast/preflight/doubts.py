"""Settings that are valid but do not have the effect that they suggest. The plan and some commands warn of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mast.config.pretrain import PretrainSpec
from mast.models.settings import NARROW

if TYPE_CHECKING:
    from mast.config.experiment import Experiment

Condition = tuple[str, Callable[[PretrainSpec], bool]]
"""Condition under which a setting has an effect: in words, and as a function of a run's settings."""

NEEDS: dict[str, Condition] = {
    "optimizer.momentum": ("optimizer.name is lars or sgd", lambda run: run.optimizer.name != "adamw"),
    "optimizer.trust": ("optimizer.name is lars", lambda run: run.optimizer.name == "lars"),
    "encoder.widths": (f"encoder.name is {NARROW}", lambda run: run.encoder.name == NARROW),
    "mast.masks": ("mast.masks.kind is not none", lambda run: run.mast.masks.kind != "none"),
    "mast.masks.sparsity": ("mast.masks.kind is sigmoid", lambda run: run.mast.masks.kind == "sigmoid"),
    "mast.uncertainty": ("mast.uncertainty.kind is not none", lambda run: run.mast.uncertainty.kind != "none"),
    "mast.uncertainty.max_weight": (
        "mast.uncertainty.form is relative",
        lambda run: run.mast.uncertainty.form == "relative",
    ),
    "mast.pairing.subset_probability": (
        "mast.pairing.mixture has subset",
        lambda run: "subset" in run.mast.pairing.mixture,
    ),
    "mast.pairing.groups": (
        "mast.pairing.mixture has single, crop_plus_one or leave_one_out",
        lambda run: bool({"single", "crop_plus_one", "leave_one_out"} & run.mast.pairing.mixture.keys()),
    ),
    **{
        f"mast_aware.{key}": ("mast_aware.weight is not 0", lambda run: run.mast_aware.weight > 0)
        for key in ("free", "hidden")
    },
    "mast_aware.predict": (
        "mast_aware.weight is not 0 or mast_aware.spaces is no list",
        lambda run: run.mast_aware.weight > 0 or not isinstance(run.mast_aware.spaces, tuple),
    ),
    "mast_aware.space_weight": (
        "mast_aware.spaces is not empty",
        lambda run: run.mast_aware.spaces != (),
    ),
}
"""Dotted key of a setting, or of a section (for all its keys but `kind`) → the condition under which it has an effect.
"""

ON_CPU = ("prepare", "evaluate", "report")
"""Stages of the workflow whose jobs use no GPU."""


def doubts(experiment: Experiment, counts: dict[str, int | None]) -> list[str]:
    """Return a line for each setting without its stated effect: `<dotted key>: <what happens>; <what would be right>`.

    Args:
        experiment: the configuration; with `scale: tiny` there are no warnings.
        counts: dataset → number of training images, None if it is not known yet.
    """
    if experiment.scale == "tiny":
        return []
    found: dict[str, None] = {}
    for name in experiment.runs:
        spec = experiment.pretrain_spec(name)
        own = [*of_run(spec), *_of_steps(spec, counts[spec.dataset]), *_of_crops(experiment, spec)]
        minutes, runtime = spec.checkpoint_minutes, experiment.resources.pretrain.runtime
        if "checkpoint_minutes" in _written(experiment.runs[name]) and minutes is not None and minutes >= runtime:
            what = f"{minutes:g} is no less than resources.pretrain.runtime ({runtime} minutes)"
            own.append(("checkpoint_minutes", f"{what}: a job that is killed unasked keeps nothing; choose less"))
        found |= {f"{_place(experiment, name, key)}: {line}": None for key, line in own}
    found |= dict.fromkeys(_without_effect(experiment))
    from mast.config.plan import planned_trainings  # needs all of a configuration, as does `planned_tasks` below

    shown = {run for _, run, _ in planned_trainings(experiment)}
    for name in experiment.runs:
        if name not in shown:
            found[f"runs.{name}: no study or figure shows it, so `all` does not train it; name it in a study"] = None
    for stage in ON_CPU:
        if count := getattr(experiment.resources, stage).gpus:
            line = f"its jobs run on the CPU, and a cluster would reserve {count} for each; leave it out"
            found[f"resources.{stage}.gpus: has no effect: {line}"] = None
    looks = experiment.monitor.epochs
    longest = max(experiment.pretrain_spec(name).epochs or 0 for name in experiment.runs)
    if looks > longest:
        found[f"monitor.epochs: {looks} is more than the epochs of any run; choose {longest} or less"] = None
    from mast.preflight.protocols import planned_tasks  # a run's own doubts need only its settings

    for study, task in planned_tasks(experiment, counts):
        protocol = experiment.protocols[study.protocol]
        found |= {f"protocols.{study.protocol}.{key}: {line}": None for key, line in protocol.doubts(task)}
    return list(found)


def of_run(spec: PretrainSpec) -> Iterator[tuple[str, str]]:
    """Return (dotted key, line) for contradictions within the resolved settings of one run."""
    if spec.optimizer is not None and spec.epochs is not None:
        warmup, epochs = spec.optimizer.warmup_epochs, spec.epochs
        if warmup >= epochs:
            line = f"{warmup:g} is no less than epochs ({epochs}): the learning rate ends at {_share(epochs / warmup)}"
            yield "optimizer.warmup_epochs", f"{line} and never falls; choose less than epochs, such as {epochs / 10:g}"


def _share(share: float) -> str:
    return "its peak" if share == 1 else f"{100 * share:.3g} % of its peak"


def _of_steps(spec: PretrainSpec, count: int | None) -> Iterator[tuple[str, str]]:
    if count is None or spec.epochs is None or spec.batch_size is None or spec.log_every is None:
        return
    steps = spec.epochs * (math.ceil if spec.last_batch == "kept" else math.floor)(count / spec.batch_size)
    if spec.log_every > steps:
        line = f"{spec.log_every} is more than the {steps} steps of the training: one line is logged, at its end"
        yield "log_every", f"{line}; choose {max(1, steps // 10)} or so"


def _of_crops(experiment: Experiment, spec: PretrainSpec) -> Iterator[tuple[str, str]]:
    crop = None if spec.policy is None else spec.policy.crop
    in_place = getattr(experiment.datasets[spec.dataset], "storage", None) == "index"
    if crop is not None and crop.interpolation is not None and not in_place:
        line = f"has no effect: {spec.dataset!r} is prepared into arrays; leave it out, or choose `storage: index`"
        yield "policy.crop.interpolation", line


def _without_effect(experiment: Experiment) -> Iterator[str]:
    """Return settings that are written down and that none of the runs that have them uses."""
    reasons: dict[str, list[str]] = {}
    places: dict[str, str] = {}
    for name, run in experiment.runs.items():
        spec = experiment.pretrain_spec(name)
        for key in _written(run):
            places.setdefault(key, _place(experiment, name, key))
            reasons.setdefault(key, []).append(_reason(spec, key))
    for key, own in reasons.items():
        if all(own):
            yield f"{places[key]}: has no effect: {own[0]}; leave it out"


def _written(settings: BaseModel, before: str = "") -> Iterator[str]:
    """Return the dotted keys of the settings of a run that are given and differ from their defaults."""
    for name in sorted(settings.model_fields_set):
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from _written(value, f"{before}{name}.")
        elif (before or name in PretrainSpec.model_fields) and value != _default(settings, name):
            yield before + name


def _default(settings: BaseModel, name: str) -> Any:
    return type(settings).model_fields[name].get_default(call_default_factory=True)


def _reason(spec: PretrainSpec, key: str) -> str:
    """Return why a setting has no effect in a run; empty if it has one."""
    parts, value = key.split("."), spec
    for depth, part in enumerate(parts[:-1], start=1):
        value = getattr(value, part)
        if value is None:
            section = ".".join(parts[:depth])
            in_use = depth > 1 and parts[0] == "policy"
            return f"{section} is not in policy.augmentations" if in_use else f"{spec.method} does not read {section}"
    if len(parts) == 1 and getattr(value, key) is None:  # below a section that is read, null is a choice
        return f"{spec.method} does not read {key}"
    for needing, (condition, holds) in NEEDS.items():
        of_section = key.startswith(f"{needing}.") and parts[-1] != "kind"
        if (key == needing or of_section) and not holds(spec):
            return f"it would have one if {condition}"
    return ""


def _place(experiment: Experiment, name: str, key: str) -> str:
    """Return `runs.<name>.<key>` if the run has a value of its own, else `pretrain.<key>`."""
    run = experiment.runs[name]
    shared = _at(experiment.pretrain, key)
    own = key in _written(run) if shared is None else _at(run.model_dump(mode="json"), key) != shared
    return f"runs.{name}.{key}" if own else f"pretrain.{key}"


def _at(values: Any, key: str) -> Any:
    """Return the value at a dotted key of nested mappings, or None if there is none."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values
