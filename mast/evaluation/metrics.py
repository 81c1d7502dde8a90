"""The metrics file (docs/design.md, *Metrics file*): the only thing that tables read."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mast.commit import code_version
from mast.config import ProtocolSpec
from mast.data.prepared.store import PreparedData
from mast.errors import MastError
from mast.files import read_json, sha256_file, write_sealed_json

Metrics = Mapping[str, Mapping[str, float | None]]
"""Target → metric → percent in [0, 100], or None where a metric is undefined."""


def percentage(correct: np.ndarray) -> float:
    """Percentage of true values in bool [N]."""
    return 100 * int(correct.sum()) / len(correct)


TOP = 5
"""Of top-5 accuracy, stated for targets with more classes than this."""


def classification_metrics(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracies of classifying by the highest scores, percent.

    Args:
        scores: float [N, C]; −∞ for a class that is no guess at all.
        labels: int [N], in [0, C).

    Returns:
        `top1`; `top5` where C > 5; `mean_per_class`, the mean over the classes that occur of the share classified
        rightly.
    """
    correct = scores.argmax(axis=1) == labels
    per_class = [percentage(correct[labels == label]) for label in np.unique(labels)]
    metrics = {"top1": percentage(correct)}
    if scores.shape[1] > TOP:
        highest = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
        guessed = np.take_along_axis(scores, highest, axis=1) > -np.inf
        metrics["top5"] = percentage(((highest == labels[:, None]) & guessed).any(axis=1))
    return metrics | {"mean_per_class": sum(per_class) / len(per_class)}


def write_metrics(
    output: Path,
    *,
    protocol: str,
    spec: ProtocolSpec,
    version: int,
    metadata: Mapping[str, str],
    metrics: Metrics,
    counts: Mapping[str, int],
    seconds: float,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write one evaluation's metrics file, atomically.

    Args:
        output: path of the file.
        protocol: the protocol's name in the configuration.
        spec: its settings.
        version: version of the protocol's implementation; results of two versions are not comparable.
        metadata: as `measured_with` returns it.
        metrics: percentages.
        counts: images in `train` and `test`.
        seconds: wall time of the evaluation.
        details: what else a reader needs to judge the numbers, e.g. the hash of a subset; no table shows it.

    Raises:
        MastError: a metric is neither None nor a percentage; nothing is written.
    """
    for target, values in metrics.items():
        for metric, value in values.items():
            if value is not None and not (math.isfinite(value) and 0 <= value <= 100):
                raise MastError(f"{output}: {target} {metric} is {value}, not a percentage in [0, 100]")
    write_sealed_json(
        output,
        {
            "format": 1,
            "protocol": protocol,
            "kind": spec.kind,
            "version": version,
            "settings": spec.model_dump(mode="json", exclude={"kind"}),
            "task": metadata["task"],
            "dataset": metadata["dataset"],
            "run": metadata["run"],
            "seed": int(metadata["seed"]),
            "metrics": metrics,
            "counts": dict(counts),
            **({} if details is None else {"details": details}),
            "spec_sha256": metadata["spec_sha256"],
            "data_sha256": metadata["data_sha256"],
            "task_sha256": metadata["task_sha256"],
            "encoder_sha256": metadata["encoder_sha256"],
            "commits": sorted({*metadata.get("commits", "").split("\n"), code_version()} - {""}),
            "seconds": round(seconds, 3),
        },
    )


def measured_with(encoder_file: Path, metadata: Mapping[str, str], task: PreparedData) -> dict[str, str]:
    """What a metrics or features file says of the encoder (its file's `metadata` and hash) and of the task.

    `commits` are the versions of the code, one a line: that of run.json beside the encoder, where there is one, and
    that which runs now.
    """
    run_file = encoder_file.with_name("run.json")
    trained_by = read_json(run_file)["commit"] if run_file.exists() else code_version()
    return {
        **metadata,
        "commits": "\n".join(sorted({trained_by, code_version()})),
        "encoder_sha256": sha256_file(encoder_file),
        "task": task.name,
        "task_sha256": task.sha256,
    }
