"""Check that no step waits for the device between two logged lines: the host only queues work."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import mast
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import METHODS_AND_SETS, build, settings, training
from benchmarks.result import Section, Target

WARM_UP, STEPS = 3, 5
LISTS = {torch.tensor, torch.as_tensor, torch.Tensor.new_tensor}
COPIES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}

RUNS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("VICReg", "bf16", {}),
    ("MAST-5", "bf16", {"accumulate": 2}),
    ("MAST-15", "bf16", {"mast": {"uncertainty": {"kind": "isotropic"}}}),
    ("supervised", "bf16", {}),
    ("MAST-15", "fp32", {"optimizer": {"name": "adamw", "lr": 1e-3, "warmup_epochs": 0}}),
    ("MAST-15", "fp16", {}),
    ("MAST-15", "fp16", {"optimizer": {"name": "sgd", "lr": 0.1, "warmup_epochs": 0}}),
)
"""Method, precision and changes to LARS and the defaults."""


def measure(bench: Bench) -> Section:
    how = "under torch.cuda.set_sync_debug_mode('error')" if bench.on_gpu else "of tensors without values"
    section = Section("waiting", f"{STEPS} steps {how}; copies from pageable memory count too.")
    for case, waits in _on_gpu(bench) if bench.on_gpu else _on_meta(bench):
        for place in dict.fromkeys(waits):
            section.add(case, place, waits.count(place), "waits")
        section.targets.append(Target(f"waits, {case}", len(waits), 0, False, ""))
    return section


def _on_gpu(bench: Bench) -> Iterator[tuple[str, list[str]]]:
    """Return what was trained, and where it waited."""
    for name, precision, changes in RUNS:
        optimizer = changes.get("optimizer", {}).get("name", "lars")
        others = "".join(f", {key}" for key in changes if key != "optimizer")
        yield f"{name}, {precision}, {optimizer}{others}", waits_of_steps(bench, name, precision, changes)


def waits_of_steps(bench: Bench, name: str, precision: str, changes: dict[str, Any]) -> list[str]:
    """Return where the steps waited."""
    case = bench.checked
    spec = settings(case, name, precision, log_every=1000, **changes)
    with training(spec, case, bench.device, 2 * (WARM_UP + STEPS)) as trained:
        for step in range(WARM_UP):
            trained.step(step)
        torch.cuda.synchronize(bench.device)
        with _errors_on_waiting(), Copies() as copies:
            for step in range(WARM_UP, WARM_UP + STEPS):
                try:
                    trained.step(step)
                except RuntimeError as error:
                    if "synchronizing" not in str(error):
                        raise
                    return [*copies.waits, place_in_package(traceback.extract_tb(error.__traceback__))]
    return copies.waits


def _on_meta(bench: Bench) -> Iterator[tuple[str, list[str]]]:
    """Do the same for forward and backward with tensors without values: any read of a value raises an error."""
    case = bench.checked
    images = torch.empty(case.batch, 3, case.size, case.size, dtype=torch.uint8, device="meta")
    labels = torch.empty(case.batch, 2, dtype=torch.int64, device="meta")
    for name in METHODS_AND_SETS:
        learner = build(settings(case, name), case, torch.device("meta")).train()
        learner.autocast = nullcontext  # torch.autocast does not know this device
        with Copies() as copies, Lists(copies.waits):
            learner(images, labels, learner.draw(case.batch, torch.Generator().manual_seed(0))).loss.backward()
        yield f"{name}, forward and backward", copies.waits


@contextmanager
def _errors_on_waiting() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


class Copies(TorchDispatchMode):
    """Record copies for which the host waits: from pageable memory to a GPU, or blocking ones."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_dispatch__(
        self, operation: Callable[..., Any], types: Sequence[type], arguments: tuple = (), keywords: dict | None = None
    ) -> Any:
        keywords = keywords or {}
        result = operation(*arguments, **keywords)
        if operation in COPIES:
            source = arguments[1] if operation is torch.ops.aten.copy_.default else arguments[0]
            pageable = result.device.type == "cuda" and not source.is_pinned()
            blocks = not (keywords.get("non_blocking") or (len(arguments) > 2 and arguments[2]))
            if source.device.type == "cpu" and result.device.type != "cpu" and (pageable or blocks):
                self.waits.append(place_in_package(traceback.extract_stack()))
        return result


class Lists(TorchFunctionMode):
    """Record lists of numbers that become tensors on a device other than the CPU; the host waits for these too."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], arguments: tuple = (), keywords: dict | None = None
    ) -> Any:
        result = function(*arguments, **(keywords or {}))
        if function in LISTS and result.device.type != "cpu":
            self.waits.append(place_in_package(traceback.extract_stack()))
        return result


def place_in_package(stack: traceback.StackSummary) -> str:
    """Return file and line of the innermost frame of the package."""
    package = Path(mast.__file__).parent
    own = [frame for frame in stack if Path(frame.filename).is_relative_to(package)]
    return f"{Path(own[-1].filename).relative_to(package)}:{own[-1].lineno}" if own else "outside the package"
