"""Everything that is measured on one pretrained run, written as CSV files."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from mast.analysis.invariance import INVARIANCE_COLUMNS, measure_invariance
from mast.analysis.masks import (
    MASK_COLUMNS,
    OVERLAP_COLUMNS,
    SUBSPACE_COLUMNS,
    mask_overlap,
    mask_weights,
    subspace_dimensions,
)
from mast.analysis.uncertainty import UNCERTAINTY_COLUMNS, measure_uncertainty
from mast.augment.policy import Policy
from mast.config import PretrainSpec, parse
from mast.data.store import PreparedData, open_prepared
from mast.errors import MastError
from mast.files import read_json, write_text
from mast.models.encoder import load_encoder, normalisation, read_weights
from mast.models.projector import load_projector
from mast.models.uncertainty import load_uncertainty_head

IMAGES = 512
"""Number of images on which a run is measured (fewer where the data have fewer)."""


def analyze(run_directory: Path, data: Path, output: Path, device: str = "cpu") -> None:
    """Write the CSV files of a pretrained run to `output`: `masks`, `overlap`, `subspaces`, `uncertainty`,
    `invariance`.

    A file is a header and nothing else where the run lacks what it measures: learned masks, an uncertainty head, or
    augmentations.

    Args:
        run_directory: what pretraining wrote: encoder, heads and run.json.
        data: directory of a prepared classification data set, usually that of pretraining; its test images are used,
            or those of train where it has no test split.
        output: directory of the CSV files.
        device: where the encoder runs.

    Raises:
        MastError: a file is missing or damaged, or the images do not have the size of pretraining's policy.
    """
    masks, augmentations = _learned_masks(Path(run_directory) / "heads.safetensors")
    tables = {
        "masks": pd.DataFrame(columns=MASK_COLUMNS),
        "overlap": pd.DataFrame(columns=OVERLAP_COLUMNS),
        "subspaces": pd.DataFrame(columns=SUBSPACE_COLUMNS),
        "uncertainty": pd.DataFrame(columns=UNCERTAINTY_COLUMNS),
        "invariance": pd.DataFrame(columns=INVARIANCE_COLUMNS),
    }
    if masks is not None:
        tables["masks"] = mask_weights(masks, augmentations)
        tables["overlap"] = mask_overlap(masks, augmentations)
        tables["subspaces"] = subspace_dimensions(masks, augmentations)
    run = _load(Path(run_directory), open_prepared(data), torch.device(device))
    if run.spec.policy is not None and run.spec.policy.names:
        tables |= _measured(run, masks)
    for name, table in tables.items():
        write_text(Path(output) / f"{name}.csv", table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


@dataclass(frozen=True)
class _Run:
    spec: PretrainSpec
    encoder: nn.Module
    projector: nn.Module | None
    head: nn.Module | None
    normalisation: tuple[Tensor, Tensor]
    images: Tensor
    device: torch.device


def _load(directory: Path, data: PreparedData, device: torch.device) -> _Run:
    encoder, metadata = load_encoder(directory / "encoder.safetensors")
    run_file = directory / "run.json"
    spec = parse(PretrainSpec, read_json(run_file)["spec"], str(run_file)).resolved()
    heads = directory / "heads.safetensors"
    modules = (encoder, load_projector(heads, encoder.num_features, spec.projector), load_uncertainty_head(heads))
    modules = (module if module is None else module.to(device) for module in modules)
    return _Run(spec, *modules, normalisation(metadata), _images(data), device)


def _measured(run: _Run, masks: Tensor | None) -> dict[str, pd.DataFrame]:
    policy = Policy(run.spec.policy, run.images.shape[-1])
    shared = (run.images, run.normalisation)
    measured = {
        "invariance": measure_invariance(run.encoder, run.projector, masks, run.spec.policy, *shared, run.device)
    }
    if run.head is not None:
        measured["uncertainty"] = measure_uncertainty(run.encoder, run.head, policy, *shared)
    return measured


def _learned_masks(heads_file: Path) -> tuple[Tensor | None, list[str]]:
    """Masks [K, d], or None where there are none but ones, and the run's augmentations."""
    weights, metadata = read_weights(heads_file)
    masks, augmentations = weights.get("masks"), json.loads(metadata.get("augmentations", "[]"))
    if masks is None or not bool((masks != 1).any()):
        return None, augmentations
    if len(masks) != len(augmentations):
        raise MastError(f"{heads_file}: {len(masks)} masks for {len(augmentations)} augmentations; pretrain again")
    return masks, augmentations


def _images(prepared: PreparedData) -> Tensor:
    split = "test" if prepared.has("test") else "train"
    return torch.from_numpy(prepared.images(split)[:IMAGES].copy()).permute(0, 3, 1, 2)
