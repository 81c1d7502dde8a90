"""Share of the time in which the device is idle, from the profiler's trace of some steps."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu import loops
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.learners import settings
from benchmarks.gpu.parts import R18, R50
from benchmarks.result import Section, Target

WORK = {"kernel", "gpu_memcpy", "gpu_memset"}
"""Categories of the trace's events that are work of a GPU."""


def measure(bench: Bench) -> Section:
    section = Section("idle", "Steps in bf16 with images in memory, logged lines included.")
    for name in (R18,) if bench.tiny else (R50, R18):
        for method in ("VICReg", "MAST-15"):
            case = bench.case(name)
            with loops.ours(bench, case, settings(case, method, "bf16")) as steps:
                steps()
                share = 1 - busy_share(_trace(bench, steps), WORK if bench.on_gpu else {"cpu_op"})
            section.targets.append(Target(f"{case.name}, {method}: idle", share, 0.05, False, ""))
    return section


def _trace(bench: Bench, steps: loops.Loop) -> list[dict[str, Any]]:
    """Return the events of `steps`. On a GPU only the device's events are recorded: recording all would slow the host
    down.
    """
    with profile(activities=[ProfilerActivity.CUDA if bench.on_gpu else ProfilerActivity.CPU]) as profiled:
        steps()
        bench.clock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiled.export_chrome_trace(str(path))
        return json.loads(path.read_text())["traceEvents"]


def busy_share(events: Iterable[dict[str, Any]], work: set[str]) -> float:
    """Return the share of the time with an event of these categories, from the first start to the last end."""
    spans = sorted((float(e["ts"]), float(e["ts"]) + float(e["dur"])) for e in events if e.get("cat") in work)
    busy, reached = 0.0, spans[0][0]
    for start, end in spans:
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return busy / (reached - spans[0][0])
