"""`--claim MINUTES`: VICReg, MAST and the catalogue's other methods on `shapes`, with as many seeds as fit the time."""

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.gpu.bench import TINY, Bench
from benchmarks.gpu.embedded import shapes
from benchmarks.gpu.record import machine
from mast.config.pretrain import PretrainSpec
from mast.errors import MastError
from mast.evaluation.features import extract_features
from mast.evaluation.run import evaluate_features
from mast.files import write_json, write_text
from mast.methods import METHODS
from mast.pretraining.run import pretrain
from mast.protocols.linear_lbfgs import LinearProtocol
from mast.records import MetricsFile
from mast.reporting.paired import Difference, paired_difference
from mast.reporting.statistics import estimate
from mast.runtime import set_up_process
from mast.settings import parse

BASELINE = "vicreg"
AT_ONCE = 4
"""Number of training runs that share the device, if that is faster than one after the other."""
FIRST_SEED = 200
"""First seed. No other experiment uses these seeds, so nothing was chosen on these runs."""
TRAIN, TEST, IMAGES_SEED = 5000, 2000, 2
"""Data as config/claim.yaml prepares them."""

CLAIM: dict[str, Any] = {
    "dataset": "shapes",
    "policy": {
        "augmentations": "mast5",
        "crop": {"scale": [0.5, 1.0]},
        "jitter": {"hue": 0.5},
        "blur": {"sigma": [0.1, 1.0], "reference_size": 32},
    },
    "projector": {"hidden": 512, "output": 256},
    "objective": {"invariance": 10},
    "mast": {
        "pairing": {"mixture": {"subset": 1}, "subset_probability": 0.75},
        "masks": {"keep": 0.8, "temperature": 0.1},
        "uncertainty": {"kind": "none"},
    },
    "epochs": 30,
    "batch_size": 128,
    "precision": "bf16",
}
"""Settings of config/claim.yaml, except encoder and optimiser; `mast` has its own weight of invariance there."""

LINEAR = {"kind": "linear-lbfgs", "strengths": 6, "strength_range": [1e-3, 1e2], "tolerance": 1e-4}
"""Linear evaluation as in config/claim.yaml."""
OWN: dict[str, dict[str, Any]] = {"mast": {"objective": {"invariance": 15}}}
RESNET18 = {
    "encoder": {"name": "resnet18", "stem": "small"},
    "optimizer": {"name": "adamw", "lr": 1e-3, "weight_decay": 1e-4, "warmup_epochs": 1},
}
"""A learning rate that is usual for AdamW and this network; it was not chosen on these images."""


@dataclass(frozen=True)
class Trained:
    """Accuracies of one encoder, and its cost."""

    method: str
    seed: int
    top1: dict[str, float]
    """Target → percent."""
    seconds: float


def run(bench: Bench, minutes: float, output: Path) -> int:
    """Train, evaluate, and write claim.json and claim.md after every seed; return 0."""
    ends, found, rate = time.monotonic() + 60 * minutes, [], ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = shapes(folder, 60 if bench.tiny else TRAIN, 30 if bench.tiny else TEST, IMAGES_SEED)
        for seeds, finished, rate in _seeds(bench, data, folder, ends):
            found += finished
            _write(bench, output, found, rate)
            print(f"seeds {seeds[0]} to {seeds[-1]}: {rate}", flush=True)
    print(report(found, rate) if found else "no seed was finished in this time; give more minutes")
    return 0


def _write(bench: Bench, output: Path, found: list[Trained], rate: str) -> None:
    used = {method: settings(method, bench.tiny).model_dump(mode="json", exclude_none=True) for method in methods()}
    numbers = {"machine": machine(bench), "settings": used, "trained": [asdict(trained) for trained in found]}
    write_json(output / "claim.json", numbers)
    write_text(output / "claim.md", report(found, rate))


def methods() -> list[str]:
    """Return the methods that learn without labels, the baseline first."""
    own = [name for name, method in METHODS.items() if method.READS and not method.NEEDS_LABELS]
    return sorted(own, key=lambda name: (name != BASELINE, name != "mast", name))


def settings(method: str, tiny: bool = False) -> PretrainSpec:
    """Return the run of a method; its own sections have the package's defaults."""
    values = CLAIM | RESNET18 | OWN.get(method, {}) | {"method": method}
    if tiny:
        values |= {"encoder": TINY.encoder, "epochs": 1, "batch_size": 16}
    return parse(PretrainSpec, values, "claim").resolved()


def _seeds(bench: Bench, data: Path, folder: Path, ends: float) -> Iterator[tuple[range, list[Trained], str]]:
    """Train seed after seed while there is time, and measure the speed: one run alone, the next ones side by side, then
    the faster way.
    """
    workers = min(AT_ONCE, max(1, bench.cores // 2))
    per_training: dict[int, float] = {}
    seed = FIRST_SEED
    set_up_process(max(1, bench.cores // workers))  # for the processes that follow
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        list(pool.map(warm_up, [str(bench.device)] * workers))
        while True:
            untried = [number for number in (1, workers) if number not in per_training]
            at_once = untried[0] if untried else min(per_training, key=per_training.__getitem__)
            seeds = range(seed, seed + max(1, -(-at_once // len(methods()))))
            needed = len(seeds) * len(methods()) * min(per_training.values(), default=0.0)
            if time.monotonic() + 1.2 * needed > ends:
                return
            started = time.monotonic()
            finished = _train(pool, bench, data, folder, seeds, at_once)
            per_training[at_once] = (time.monotonic() - started) / (len(seeds) * len(methods()))
            if at_once == 1 and finished:  # the first run of a process takes longer
                per_training[1] = min(trained.seconds for trained in finished)
            seed = seeds[-1] + 1
            yield seeds, finished, f"{per_training[at_once]:.1f} s a training, {at_once} at once"


def _train(
    pool: ProcessPoolExecutor, bench: Bench, data: Path, folder: Path, seeds: range, at_once: int
) -> list[Trained]:
    """Train every method with these seeds: one after the other, or as many at a time as the pool has processes."""
    shared = (data, folder, str(bench.device), bench.tiny)
    futures = []
    for method, seed in product(methods(), seeds):
        futures.append(pool.submit(train_one, method, seed, *shared))
        if at_once == 1:
            wait(futures)
    results = [future.result() for future in futures]
    for failure in (result for result in results if isinstance(result, str)):
        print(failure, file=sys.stderr)
    return [result for result in results if isinstance(result, Trained)]


def warm_up(device: str) -> None:
    """Import what training imports, and start the device, slowly enough that every process gets one such task."""
    torch.zeros(1, device=device)
    time.sleep(1)


def train_one(method: str, seed: int, data: Path, folder: Path, device: str, tiny: bool) -> Trained | str:
    """In a separate process: pretrain, extract features, and evaluate them on the CPU; return what went wrong in one
    line.
    """
    try:
        return _trained(method, seed, data, folder / method / f"seed{seed}", device, tiny)
    except MastError as error:
        return f"{method}, seed {seed}: {error}"


def _trained(method: str, seed: int, data: Path, place: Path, device: str, tiny: bool) -> Trained:
    started = time.monotonic()
    with contextlib.redirect_stderr(io.StringIO()):
        pretrain(settings(method, tiny), method, seed, data, place, device, torch.get_num_threads())
        extract_features(place / "encoder.safetensors", data, place / "features.npz", device)
        linear = parse(LinearProtocol, LINEAR, "claim")
        evaluate_features("linear", linear, place / "features.npz", place / "linear.json")
    metrics = MetricsFile.read(place / "linear.json").metrics
    top1 = {target: values["top1"] for target, values in metrics.items()}
    return Trained(method, seed, top1, time.monotonic() - started)


def report(found: list[Trained], rate: str) -> str:
    """Return Markdown: each method's accuracies, and its difference to the baseline, paired over seeds."""
    frames = {method: pd.DataFrame({t.seed: t.top1 for t in found if t.method == method}).T for method in methods()}
    frames = {
        method: own.assign(mean=own.mean(axis=1), worst=own.min(axis=1)) for method, own in frames.items() if len(own)
    }
    lines = [f"Linear evaluation (top-1, percent) of ResNet-18 on `shapes`; {rate}.", ""]
    lines += ["| method | target | VICReg | score | difference | bootstrap |", "|---|---|---:|---:|---:|---:|"]
    for method in [name for name in frames if name != BASELINE and BASELINE in frames]:
        frame = frames[method]
        for target in frame:
            baseline, scores = frames[BASELINE][target], frame[target]
            difference = paired_difference(baseline, scores)
            cells = [method, target, *(_shown(values) for values in (baseline, scores))]
            cells += [_with_interval(difference), _bootstrap(difference)]
            lines.append(f"| {' | '.join(cells)} |")
    seeds = sorted({t.seed for t in found})
    note = f"Seeds {seeds[0]} to {seeds[-1]}; 95 % intervals: paired Student t, and bootstrap over seeds."
    return "\n".join([*lines, "", note]) + "\n"


def _shown(values: pd.Series) -> str:
    found = estimate(values)
    return f"{found.mean:.1f}" if found.n < 2 else f"{found.mean:.1f} ± {found.interval:.1f}"


def _with_interval(found: Difference) -> str:
    return f"{found.mean:+.1f} [{found.low:+.1f}, {found.high:+.1f}]" if found.n > 1 else f"{found.mean:+.1f}"


def _bootstrap(found: Difference) -> str:
    return f"[{found.bootstrap_low:+.1f}, {found.bootstrap_high:+.1f}]" if found.n > 1 else ""
