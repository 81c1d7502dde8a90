"""Whole training steps: the package's compared with the bare network and lightly's loop, and MAST with VICReg."""

from contextlib import ExitStack

import torch

from benchmarks.gpu import loops
from benchmarks.gpu.bench import Bench, Case
from benchmarks.gpu.compiling import compiler
from benchmarks.gpu.learners import settings
from benchmarks.gpu.parts import R50
from benchmarks.result import Section, Target
from benchmarks.timing import alternate

SECONDS = 30.0
"""Seconds of rounds in which all loops take turns."""


def measure(bench: Bench, name: str, precision: str, compile: bool = False) -> Section:
    case = bench.case(name)
    title = f"{case.name}, {precision}" + (", compiled" if compile else "")
    section = Section(f"step, {title}", f"Batch {case.batch}, projector {case.projector}; {_about(precision)}")
    with ExitStack() as stack, compiler(bench):
        tasks = _tasks(bench, case, precision, compile, stack)
        times = alternate(tasks, 1 if bench.tiny else 3, SECONDS, bench.clock)
        for who, seconds in times.items():
            section.add(title, who, case.steps * case.batch / seconds, "images/s")
        if bench.on_gpu:
            _add_memory(section, bench, title, tasks)
    _add_targets(section, name == R50 and precision == "bf16", title, times)
    return section


def _about(precision: str) -> str:
    return "convolutions in TF32, products in float32: torch's defaults." if precision == "fp32" else "autocast."


def _tasks(bench: Bench, case: Case, precision: str, compiled: bool, stack: ExitStack) -> dict[str, loops.Loop]:
    reduced = precision != "fp32"
    names = ("VICReg", "MAST-5", "MAST-15") if reduced and not compiled else ("VICReg",)
    spec = {name: settings(case, name, precision, compile=compiled) for name in names}
    tasks = {name: stack.enter_context(loops.ours(bench, case, spec[name])) for name in names}
    tasks["forward + backward"] = loops.bare(bench, case, spec["VICReg"])
    if compiled:
        plain = settings(case, "VICReg", precision)
        tasks["VICReg, not compiled"] = stack.enter_context(loops.ours(bench, case, plain))
    elif loops.has_lightly():
        tasks["lightly"] = loops.lightlys(bench, case, spec["VICReg"])
    return tasks


def _add_targets(section: Section, limited: bool, title: str, times: dict[str, float]) -> None:
    share = times["forward + backward"] / times["VICReg"]
    if limited:
        section.targets.append(Target(f"{title}: share of bare forward + backward", share, 0.95))
    else:
        section.add(title, "share of bare forward + backward", share, "×")
    for method in ("MAST-5", "MAST-15"):
        if method in times:
            section.targets.append(Target(f"{title}: {method} / VICReg", times[method] / times["VICReg"], 1.05, False))
    if "lightly" in times:
        section.targets.append(Target(f"{title}: against lightly", times["lightly"] / times["VICReg"], 3))
    if "VICReg, not compiled" in times:
        section.add(title, "compiled against not", times["VICReg, not compiled"] / times["VICReg"], "×")


def _add_memory(section: Section, bench: Bench, title: str, tasks: dict[str, loops.Loop]) -> None:
    """Add the peak memory beyond what stays on the device: activations, gradients, temporary tensors."""
    peaks = {}
    for who, task in tasks.items():
        torch.cuda.reset_peak_memory_stats(bench.device)
        before = torch.cuda.memory_allocated(bench.device)
        task()
        bench.clock()
        peaks[who] = (torch.cuda.max_memory_allocated(bench.device) - before) / 1e6
        section.add(title, f"{who}, peak memory", peaks[who], "MB")
    if "MAST-15" in peaks:
        ratio = peaks["MAST-15"] / peaks["VICReg"]
        section.targets.append(Target(f"{title}: memory of MAST-15 / VICReg", ratio, 1.2, False))
