"""Run the parts one after the other within the time, despite crashes, and write everything after each part."""

import argparse
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.parts import PARTS, Part
from benchmarks.gpu.record import Outcome, Record
from benchmarks.report import target_table

EXIT_FAILED, EXIT_USAGE = 1, 2


class OutOfTimeError(BaseException):
    """Raised by the clock in the middle of a part; no part catches it."""


def main(options: argparse.Namespace, cores: int) -> int:
    """Run the selected parts; return 0, 1 if a check failed or a part crashed, 2 if there is no such device."""
    if options.device == "cuda" and not torch.cuda.is_available():
        print("--device cuda: torch finds no CUDA device here; try --device cpu --tiny", file=sys.stderr)
        return EXIT_USAGE
    torch.set_num_threads(cores)
    bench = Bench(torch.device("cuda", 0) if options.device == "cuda" else torch.device("cpu"), cores, options.tiny)
    if options.claim:
        from benchmarks.gpu.claim import run

        return run(bench, options.claim, options.output)
    record, deadline = Record(options.output, bench, options.keep), time.monotonic() + 60 * options.minutes
    names = list(options.only or PARTS)
    while names:
        name = names.pop(0)
        record.add(name, _run(PARTS[name], bench, deadline - time.monotonic()))
        _print(name, record.outcomes[name])
        if record.outcomes[name].crashed and names and not _device_works(bench):
            _begin_again(options, names, deadline - time.monotonic())
    print(f"written to {options.output}/gpu.json, gpu.md and gpu.png")
    return EXIT_FAILED if record.failed else 0


def _run(part: Part, bench: Bench, left: float) -> Outcome:
    if not bench.tiny and left < part.seconds:
        return Outcome(None, 0.0, f"left out: {left:.0f} s were left, and it takes about {part.seconds:.0f} s")
    started = time.monotonic()
    section, problem = None, None
    try:
        with _at_most(left):
            section = part.measure()(bench, **part.options)
    except OutOfTimeError:
        problem = "cut off: the time was up"
    except Exception as error:  # whatever the error is, the other parts continue
        problem = f"crashed: {_one_line(error)}"
    _tidy(bench)
    return Outcome(section, time.monotonic() - started, problem, bool(problem and problem.startswith("crashed")))


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _one_line(error: Exception) -> str:
    """Return kind, first line and place of an error."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first[:200]} ({os.path.relpath(frame.filename)}:{frame.lineno})"


def _tidy(bench: Bench) -> None:
    """Free what a part has left on the device; each part begins as if it were the first."""
    gc.collect()
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()
    if bench.on_gpu and _device_works(bench):
        torch.cuda.empty_cache()


def _device_works(bench: Bench) -> bool:
    """Return whether the process can still use its device: after an illegal access it cannot."""
    if not bench.on_gpu:
        return True
    try:
        torch.cuda.synchronize(bench.device)
    except RuntimeError:
        return False
    return True


def _begin_again(options: argparse.Namespace, names: list[str], left: float) -> None:
    """Become a new process for the remaining parts; finished measurements are in gpu.json."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--keep", "--device", options.device]
    command += ["--output", str(options.output), "--minutes", str(max(left / 60, 0.01))]
    command += [*(["--tiny"] if options.tiny else []), "--only", *names]
    sys.stdout.flush()
    os.execv(sys.executable, command)


def _print(name: str, outcome: Outcome) -> None:
    print(f"{name}: {outcome.problem or 'done'} in {outcome.seconds:.1f} s")
    for line in target_table(outcome.section.targets)[2:] if outcome.section is not None else ():
        print(line)
    sys.stdout.flush()
