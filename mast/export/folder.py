"""Write the folder of an exported encoder: weights, a configuration for timm, a hub file, a model card."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import timm

from mast.errors import MastError
from mast.export import hub
from mast.files import atomic_path, write_json, write_text
from mast.models.encoder_file import load_encoder
from mast.models.settings import NARROW, EncoderSpec
from mast.records import Manifest, MetricsFile
from mast.settings import parse_spec

WEIGHTS, CONFIG, HUB, CARD = "model.safetensors", "config.json", "hubconf.py", "README.md"
"""Files of the folder; the Hugging Face Hub and torch.hub expect these names."""


def export_encoder(encoder_file: Path, manifest_file: Path, metrics_files: Iterable[Path], output: Path) -> None:
    """Write the folder `output`.

    Args:
        encoder_file: `encoder.safetensors` of a run; it is copied byte for byte.
        manifest_file: manifest of the pretraining data, for their licence and the side of the images.
        metrics_files: metrics of this encoder, for the model card.
        output: may exist; its four files are replaced.

    Raises:
        MastError: a file is missing or damaged; or the data or metrics are not those of this encoder.
    """
    encoder, metadata = load_encoder(encoder_file)
    manifest = Manifest.read(manifest_file)
    if manifest.sha256 != metadata["data_sha256"]:
        raise MastError(
            f"{manifest_file}: not the data on which {encoder_file} was trained (sha256 differs); "
            "give --data as it was, or pretrain again"
        )
    with atomic_path(output / WEIGHTS) as temporary:
        shutil.copyfile(encoder_file, temporary)
    spec = parse_spec(EncoderSpec, metadata["encoder"])
    config = _config(spec, metadata, encoder.num_features, manifest)
    write_json(output / CONFIG, config)
    write_text(output / HUB, Path(hub.__file__).read_text(encoding="utf-8"))
    write_text(output / CARD, _card(metadata, config, manifest, [MetricsFile.read(file) for file in metrics_files]))


def timm_name(spec: EncoderSpec) -> str | None:
    """Return timm's name of an encoder; None if timm has no such architecture."""
    name = spec.name.removeprefix("timm/")
    return name if spec.stem == "imagenet" and spec.name != NARROW and timm.is_model(name) else None


def _config(spec: EncoderSpec, metadata: dict[str, str], features: int, manifest: Manifest) -> dict[str, Any]:
    architecture = timm_name(spec)
    side = manifest.spec.get("size", 224)
    return {
        **({"architecture": architecture} if architecture else {}),
        "num_classes": 0,
        "num_features": features,
        "pretrained_cfg": {
            "input_size": [3, side, side],
            "fixed_input_size": False,
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": "center",
            "mean": json.loads(metadata["mean"]),
            "std": json.loads(metadata["std"]),
            "num_classes": 0,
            **_places(architecture),
        },
        "encoder": spec.model_dump(mode="json"),
    }


def _places(architecture: str | None) -> dict[str, Any]:
    """Return the layers that timm adapts: the first convolution to other channels, the head to other classes."""
    published = timm.get_pretrained_cfg(architecture) if architecture else None
    return {key: getattr(published, key) for key in ("first_conv", "classifier")} if published else {}


def _card(metadata: dict[str, str], config: dict[str, Any], manifest: Manifest, metrics: list[MetricsFile]) -> str:
    for found in metrics:
        if found.spec_sha256 != metadata["spec_sha256"] or str(found.seed) != metadata["seed"]:
            raise MastError(f"metrics of {found.task!r} are of another encoder; evaluate this one again")
    own = {key: metadata[key] for key in ("run", "dataset", "seed", "spec_sha256", "data_sha256")}
    load = _TIMM if "architecture" in config else _TORCH_HUB
    return _CARD.format(
        **own,
        encoder=config["encoder"]["name"],
        features=config["num_features"],
        side=config["pretrained_cfg"]["input_size"][1],
        mean=metadata["mean"],
        std=metadata["std"],
        source=manifest.source,
        licence=manifest.licence,
        images=manifest.splits["train"]["count"],
        load=load,
        library="timm" if load is _TIMM else "pytorch",
        results=_results(metrics),
    )


def _results(metrics: list[MetricsFile]) -> str:
    rows = [
        f"| {found.task} | {target} | {found.protocol} ({found.kind}) | {metric} | {value:.2f} |"
        for found in metrics
        for target, values in found.metrics.items()
        for metric, value in values.items()
        if value is not None
    ]
    if not rows:
        return "None were measured."
    return "\n".join(("| data | label | protocol | metric | percent |", "|---|---|---|---|---:|", *rows))


_TIMM = """import timm

model = timm.create_model("local-dir:<this folder>", pretrained=True)  # or "hf-hub:<user>/<name>" """.rstrip()

_TORCH_HUB = """import torch

model = torch.hub.load("<this folder>", "encoder", source="local")"""

_CARD = """---
license: other
license_name: see-data
library_name: {library}
tags: [image-feature-extraction, self-supervised, mast]
---

# {encoder}, pretrained on {dataset} (run {run}, seed {seed})

A bare backbone that maps images [N, 3, H, W] to {features} features. It has no classification head.

```python
{load}
```

`torch.hub.load("<this folder>", "encoder", source="local")` works for every architecture.

Images in [0, 1] are normalised with mean {mean} and standard deviation {std}; pretraining saw {side} × {side} pixels.

## Data

{images:,} images: {source}. Licence of the data: {licence}. Read it before you publish weights trained on them.

## Results

{results}

Each is one seed; the tables of the run give intervals.

## Where it comes from

Run `{run}` of MAST's open implementation; settings SHA-256 `{spec_sha256}`, data SHA-256 `{data_sha256}`.
"""
