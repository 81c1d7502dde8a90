"""Check that running out of memory gives one line with batch size and precision, from the command itself."""

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.embedded import encoder_file, shapes
from benchmarks.gpu.learners import settings
from benchmarks.result import Section, Target
from mast.augment.policy import Policy
from mast.cli.program import EXIT_ERROR, main
from mast.models.narrow import NarrowResNet

LITTLE = 64 * 2**20
"""Bytes that a command gets on a GPU in addition to the memory in use."""
EXBIBYTE = 2**60
IMAGES = 1024


def measure(bench: Bench) -> Section:
    section = Section("memory", f"`mast pretrain` and `mast features` with {LITTLE >> 20} MiB to spare; 1 is yes.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = shapes(folder, 64 if bench.tiny else IMAGES, 16)
        place = ["--data", str(data), "--gpus", "0"] if not bench.on_gpu else ["--data", str(data)]
        spec = settings(bench.checked, "MAST-15", batch_size=64 if bench.tiny else IMAGES).model_dump_json()
        pretrain = ["pretrain", "--spec", spec, "--run", "check", "--seed", "0", "--output", str(folder / "run")]
        section.targets += _targets(bench, "pretrain", [*pretrain, *place], ("batch_size", "precision fp32"))
        encoder = str(encoder_file(folder, {"name": "resnet50"} if bench.on_gpu else bench.checked.encoder))
        features = ["features", "--encoder", encoder, "--output", str(folder / "features.npz")]
        section.targets += _targets(bench, "features", [*features, *place], ("512 images", "fp32"))
    return section


def _targets(bench: Bench, name: str, command: list[str], words: tuple[str, ...]) -> list[Target]:
    stream = io.StringIO()
    with _little_memory(bench), contextlib.redirect_stderr(stream):
        status = main(command)
    errors = [line for line in stream.getvalue().splitlines() if line.startswith("mast: error: ")]
    one_line = status == EXIT_ERROR and len(errors) == 1 and "Traceback" not in stream.getvalue()
    named = all(word in "".join(errors) for word in words)
    return [
        Target(f"{name}: ends in one line", float(one_line), 1, unit=""),
        Target(f"{name}: names {' and '.join(words)}", float(named), 1, unit=""),
    ]


@contextlib.contextmanager
def _little_memory(bench: Bench) -> Iterator[None]:
    """Limit memory so that a batch does not fit. On a CPU, views and features request an exbibyte."""
    if bench.on_gpu:
        torch.cuda.empty_cache()
        enough = torch.cuda.memory_reserved(bench.device) + LITTLE
        total = torch.cuda.get_device_properties(bench.device).total_memory
        torch.cuda.set_per_process_memory_fraction(enough / total, bench.device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, bench.device)
            torch.cuda.empty_cache()
        return

    def too_much(*_: Any) -> torch.Tensor:
        return torch.empty(EXBIBYTE, dtype=torch.uint8)

    with mock.patch.object(Policy, "apply", too_much), mock.patch.object(NarrowResNet, "forward", too_much):
        yield
