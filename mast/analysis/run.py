"""Everything that is measured on one pretrained run, written as CSV files."""

import json
from pathlib import Path

import pandas as pd
import torch

from mast.analysis.masks import MASK_COLUMNS, OVERLAP_COLUMNS, mask_overlap, mask_weights
from mast.analysis.uncertainty import UNCERTAINTY_COLUMNS, measure_uncertainty
from mast.augment.policy import Policy
from mast.config import PretrainSpec, parse
from mast.data.store import PreparedData, open_prepared
from mast.errors import MastError
from mast.files import read_json, write_text
from mast.models.encoder import load_encoder, normalisation, read_weights
from mast.models.uncertainty import load_uncertainty_head

IMAGES = 512
"""Number of images on which uncertainty is measured (fewer where the data have fewer)."""


def analyze(run_directory: Path, data: Path, output: Path, device: str = "cpu") -> None:
    """Write `masks.csv`, `overlap.csv` and `uncertainty.csv` of a pretrained run to `output`.

    A run without learned masks, or without an uncertainty head, gets files that hold a header and nothing else.

    Args:
        run_directory: what pretraining wrote: encoder, heads and run.json.
        data: directory of a prepared classification data set, usually that of pretraining; its test images are used,
            or those of train where it has no test split.
        output: directory of the CSV files.
        device: where the encoder runs.

    Raises:
        MastError: a file is missing or damaged, or the images do not have the size of pretraining's policy.
    """
    heads_file = Path(run_directory) / "heads.safetensors"
    weights, metadata = read_weights(heads_file)
    masks, augmentations = weights.get("masks"), json.loads(metadata.get("augmentations", "[]"))
    learned = masks is not None and bool((masks != 1).any())
    if learned and len(masks) != len(augmentations):
        raise MastError(f"{heads_file}: {len(masks)} masks for {len(augmentations)} augmentations; pretrain again")
    tables = {
        "masks": mask_weights(masks, augmentations) if learned else pd.DataFrame(columns=MASK_COLUMNS),
        "overlap": mask_overlap(masks, augmentations) if learned else pd.DataFrame(columns=OVERLAP_COLUMNS),
        "uncertainty": _uncertainty(Path(run_directory), data, torch.device(device)),
    }
    for name, table in tables.items():
        write_text(Path(output) / f"{name}.csv", table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def _uncertainty(run_directory: Path, data: Path, device: torch.device) -> pd.DataFrame:
    head = load_uncertainty_head(run_directory / "heads.safetensors")
    if head is None:
        return pd.DataFrame(columns=UNCERTAINTY_COLUMNS)
    encoder, metadata = load_encoder(run_directory / "encoder.safetensors")
    run_file = run_directory / "run.json"
    spec = parse(PretrainSpec, read_json(run_file)["spec"], str(run_file))
    images = _images(open_prepared(data))
    policy = Policy(spec.policy, images.shape[-1])
    return measure_uncertainty(encoder.to(device), head.to(device), policy, images, normalisation(metadata))


def _images(prepared: PreparedData) -> torch.Tensor:
    split = "test" if prepared.has("test") else "train"
    return torch.from_numpy(prepared.images(split)[:IMAGES].copy()).permute(0, 3, 1, 2)
