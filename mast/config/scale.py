"""`data_root` and `scale: tiny`: what they change in a configuration as written, before it is validated."""

from pathlib import Path
from typing import Any

from mast.protocols import PROTOCOLS

_PATHS = ("root", "images", "annotations")

TINY_SIDE = 32
"""Side of the images, pixels."""

TINY_COUNTS: dict[str, dict[str, int]] = {
    "shapes": {"train": 400, "test": 80},
    "shapes-scenes": {"train": 8, "test": 4},
}
"""Images of embedded data, or as many as there are if these are fewer; enough for 1 % of the labels of two classes."""

TINY_RUN: dict[str, Any] = {
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 8, 8, 8]},
    "projector": {"hidden": 16, "output": 16, "layers": 2},
    "optimizer": {"warmup_epochs": 0},
    "epochs": 1,
    "batch_size": 6,
    "accumulate": 1,
    "precision": "fp32",
    "compile": False,
    "log_every": 1,
}
"""Laid over every run; policies, masks, pairing and uncertainty stay as they are."""

TINY_RESOURCES = {"threads": 1, "mem_mb": 2000, "runtime": 10, "gpus": 0}


def below(root: str, datasets: dict[str, Any]) -> dict[str, Any]:
    """The data sets with their relative paths taken to lie below `root`."""
    return {name: _placed(Path(root), dataset) for name, dataset in datasets.items()}


def tiny(values: dict[str, Any]) -> dict[str, Any]:
    """A configuration whose runs are merged, so small that all of it runs in minutes on fixtures of a few images.

    Every data set, run, study and figure stays; data are not compared with their official sizes; results go to
    `<results>-tiny`, beside the real ones. Sections that are not mappings are left for validation to report.
    """
    changes: dict[str, Any] = {"results": f"{values.get('results', 'results')}-tiny", "seeds": [0]}
    for section, change in (("datasets", _dataset), ("runs", _run), ("protocols", _protocol), ("studies", _without)):
        changes[section] = _each(values.get(section), change)
    changes["resources"] = _each(values.get("resources"), lambda _: TINY_RESOURCES)
    return {**values, **{section: change for section, change in changes.items() if change is not None}}


def _each(section: Any, change: Any) -> Any:
    if not isinstance(section, dict):
        return section
    return {name: change(entry) if isinstance(entry, dict) else entry for name, entry in section.items()}


def _dataset(spec: dict[str, Any]) -> dict[str, Any]:
    side = {"size": TINY_SIDE} if spec.get("kind") in ("public", "folder", "voc-labels") else {}
    counts = TINY_COUNTS.get(spec.get("kind"), {})
    fewer = {key: min(spec[key], most) if isinstance(spec.get(key), int) else most for key, most in counts.items()}
    return spec | side | fewer | ({"verify": False, "download": False} if spec.get("kind") == "public" else {})


def _run(spec: dict[str, Any]) -> dict[str, Any]:
    return _without({key: _over(spec.get(key), TINY_RUN.get(key)) for key in {**spec, **TINY_RUN}})


def _over(own: Any, small: Any) -> Any:
    """The small settings in place of a run's own; a section of which only some keys are named keeps the others."""
    if isinstance(own, dict) and isinstance(small, dict):
        return own | small
    return own if small is None else small


def _protocol(spec: dict[str, Any]) -> dict[str, Any]:
    kind = str(spec.get("kind"))
    return spec | (PROTOCOLS[kind].TINY if kind in PROTOCOLS.files else {})


def _without(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "seeds"}


def _placed(root: Path, dataset: Any) -> Any:
    if not isinstance(dataset, dict):
        return dataset
    return {
        key: _placed(root, value)
        if isinstance(value, dict)
        else str(root / value)
        if key in _PATHS and isinstance(value, str)
        else value
        for key, value in dataset.items()
    }
