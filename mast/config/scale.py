"""`data_root` and `scale: tiny`: changes to a configuration as written, before it is validated."""

from pathlib import Path
from typing import Any

from mast.catalogue import Catalogue
from mast.data.readers import READERS, below
from mast.protocols import PROTOCOLS

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
"""Settings merged into every run; policies, masks, pairing and uncertainty stay as they are."""

TINY_RESOURCES = {"threads": 1, "mem_mb": 2000, "runtime": 10, "gpus": 0}


def placed(root: str, section: dict[str, Any], kinds: Catalogue) -> dict[str, Any]:
    """Return datasets or protocols of a catalogue with their relative paths placed below `root`."""
    models = {name: _of_kind(kinds, spec) for name, spec in section.items()}
    return section | {name: below(Path(root), model, section[name]) for name, model in models.items() if model}


def tiny(values: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration so small that all of it runs in minutes on a few images; its runs are merged with
    `pretrain`.

    Every dataset, run, study and figure stays. Data are not compared with their official sizes. Results go to
    `<results>-tiny`, next to the real ones. Sections that are not mappings are left for validation to report.
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


def _of_kind(kinds: Catalogue, spec: Any) -> Any:
    """Return the entry of a catalogue that settings as written name; None if unknown, which validation reports."""
    kind = spec.get("kind") if isinstance(spec, dict) else None
    return kinds[kind] if isinstance(kind, str) and kind in kinds.files else None


def _dataset(spec: dict[str, Any]) -> dict[str, Any]:
    reader = _of_kind(READERS, spec)
    if reader is None:
        return spec
    counts = reader.tiny_most.items()
    fewer = {key: min(spec[key], most) if isinstance(spec.get(key), int) else most for key, most in counts}
    return spec | reader.tiny | fewer


def _run(spec: dict[str, Any]) -> dict[str, Any]:
    return _without({key: _over(spec.get(key), TINY_RUN.get(key)) for key in {**spec, **TINY_RUN}})


def _over(own: Any, small: Any) -> Any:
    """Replace a run's settings by the small ones. A section of which only some keys are given keeps the others."""
    if isinstance(own, dict) and isinstance(small, dict):
        return own | small
    return own if small is None else small


def _protocol(spec: dict[str, Any]) -> dict[str, Any]:
    kind = str(spec.get("kind"))
    return spec | (PROTOCOLS[kind].TINY if kind in PROTOCOLS.files else {})


def _without(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "seeds"}
