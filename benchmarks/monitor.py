"""Cost of measuring an encoder while it trains (`monitor`), relative to the embedded experiment's runs."""

import tempfile
from pathlib import Path

import torch

from benchmarks.result import Section, Target
from benchmarks.step import STEPS, ours
from benchmarks.timing import DEVICE, alternate
from mast.config.load import load_experiment
from mast.config.monitor import MonitorSpec
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.pretraining.monitor import Monitor
from mast.pretraining.run import build_learner

SPEC = MonitorSpec(epochs=5)
"""Monitor as `mast init` writes it."""


def measure(quick: bool) -> Section:
    experiment = load_experiment(Path("config/config.yaml"))
    spec, data = experiment.pretrain_spec("mast"), experiment.datasets["shapes"]
    section = Section("monitor", f"A MAST run of {spec.epochs} epochs of {data.train_count:,} images, one thread.")
    with tempfile.TemporaryDirectory() as folder:
        prepare("shapes", data, Path(folder, "data"))
        prepared = open_prepared(Path(folder, "data"))
        torch.manual_seed(0)
        learner = build_learner(spec, prepared, DEVICE)
        per_epoch = data.train_count // spec.batch_size
        monitor = Monitor(SPEC, prepared, learner, per_epoch)
        tasks = {
            "steps": ours(spec.model_copy(update={"epochs": 1})),
            "look": monitor.look,
            "start": lambda: Monitor(SPEC, prepared, learner, per_epoch),
        }
        times = alternate(tasks, 9, 15 if quick else 30)
    steps = spec.epochs * per_epoch
    looks = sum(monitor.due(done, steps) for done in range(1, steps + 1))
    training, looking = steps * times["steps"] / STEPS, looks * times["look"] + times["start"]
    section.add(f"{steps} steps", "training", training, "s")
    section.add(f"{SPEC.images:,} images", "a look", times["look"], "s")
    section.add(f"{looks} looks and their start", "monitor", looking, "s")
    section.targets.append(Target("monitor's share of a run", 100 * looking / training, 2, False, "%"))
    return section
