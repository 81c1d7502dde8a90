"""A detector, fine-tuning and a linear head train a few steps on the device, as `mast evaluate` runs them."""

import contextlib
import io
import tempfile
from pathlib import Path

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.embedded import encoder_file, scenes, shapes
from benchmarks.result import Section, Target
from mast.catalogue import union
from mast.evaluation.run import evaluate_encoder
from mast.protocols import PROTOCOLS
from mast.protocols.detection import DetectionProtocol
from mast.records import MetricsFile
from mast.settings import parse

HEADS = {"epochs": 2, "batch_size": 16}
SETTINGS = {
    "Mask R-CNN": {"kind": "detection", **DetectionProtocol.TINY, "masks": True},
    "linear head": {"kind": "linear-sgd", **HEADS},
    "fine-tuning": {"kind": "semi-10", **HEADS},
}


def measure(bench: Bench) -> Section:
    section = Section("transfer", "Metrics that were written, of those that were asked for; seconds of each.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        encoder = encoder_file(folder, bench.checked.encoder)
        places = {"detection": scenes(folder, 8, 4), "other": shapes(folder, 200, 50)}
        for title, values in SETTINGS.items():
            data, output = places.get(values["kind"], places["other"]), folder / f"{values['kind']}.json"
            protocol = parse(union(PROTOCOLS), values, "benchmark")
            started = bench.clock()
            with contextlib.redirect_stderr(io.StringIO()):
                evaluate_encoder(title, protocol, encoder, data, output, device=str(bench.device))
            section.add(title, "evaluation", bench.clock() - started, "s")
            metrics = MetricsFile.read(output).metrics
            section.targets.append(Target(f"{title}: targets measured", len(metrics), 1, unit=""))
    return section
