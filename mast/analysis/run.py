"""Run all measurements of one pretrained run, and write them as CSV files."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mast.analysis.difficulty import extremes, measure_difficulty, named_errors, neighbour_errors
from mast.analysis.invariance import measure_invariance
from mast.analysis.masks import mask_overlap, mask_weights, subspace_dimensions
from mast.analysis.pairs import sample_pairs, write_pairs
from mast.analysis.retrieval import measure_retrieval
from mast.analysis.uncertainty import measure_uncertainty, predict_uncertainty
from mast.analysis.views import encode_views
from mast.augment.policy import Policy
from mast.columns import ANALYSIS_COLUMNS
from mast.config.pretrain import PretrainSpec
from mast.data.prepared.store import PreparedData, open_prepared
from mast.errors import MastError
from mast.files import atomic_path, sha256_file, write_text
from mast.models.encoder_file import load_encoder, normalisation, read_weights
from mast.models.projector import load_projector
from mast.models.uncertainty import load_uncertainty_head
from mast.records import AnalysisRecord, RunRecord
from mast.results import AnalysisFiles, RunFiles
from mast.settings import parse

IMAGES = 512
"""Number of images on which a run is measured (fewer if the data have fewer)."""

BANK = 2048
"""Largest number of training images among which nearest neighbours are searched."""

NO_EXTREMES = {"images": np.zeros((2, 0, 1, 1, 3), np.uint8), "sigma": np.zeros((2, 0), np.float32)}


def analyze(run_directory: Path, data: Path, output: Path, device: str = "cpu") -> None:
    """Write a CSV file for each table of `ANALYSIS_COLUMNS`, the extremes, pairs of views, and the record to `output`.

    The extremes are the images of lowest and of highest predicted uncertainty. A file is empty (a CSV file has only its
    header) if the run lacks what it measures: learned masks, an uncertainty head, augmentations.

    Args:
        run_directory: directory that pretraining wrote, with encoder, heads and record.
        data: directory of a prepared classification dataset, usually that of pretraining; its test images are used,
            or those of train if there is no test split.
        output: directory of the files.
        device: device on which the encoder runs.

    Raises:
        MastError: a file is missing or damaged, or the images do not have the size of pretraining's policy.
    """
    pretrained, files = RunFiles(Path(run_directory)), AnalysisFiles(Path(output))
    masks, augmentations = _learned_masks(pretrained.heads)
    run = _load(pretrained, open_prepared(data), torch.device(device))
    tables, ends = {name: pd.DataFrame(columns=columns) for name, columns in ANALYSIS_COLUMNS.items()}, NO_EXTREMES
    if masks is not None:
        tables["masks"] = mask_weights(masks, augmentations)
        tables["overlap"] = mask_overlap(masks, augmentations)
        tables["subspaces"] = subspace_dimensions(masks, augmentations)
    if run.augments:
        tables["invariance"] = _invariance(run, masks)
        tables["retrieval"] = _retrieval(run)
    if run.augments and run.head is not None:
        of_subspaces = run.head.spec.kind == "subspace"
        predictions = predict_uncertainty(
            run.encoder, run.head, run.policy, run.images, run.normalisation, of_subspaces
        )
        tables["uncertainty"] = measure_uncertainty(predictions)
        tables["difficulty"] = measure_difficulty(predictions, _errors(run))
        ends = extremes(predictions, run.images)
    write_pairs(files.pairs, sample_pairs(run.spec, run.data))
    with atomic_path(files.extremes) as temporary:
        np.savez(temporary, **ends)
    for name, table in tables.items():
        write_text(files.table(name), table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    AnalysisRecord(
        format=1,
        encoder_sha256=sha256_file(pretrained.encoder),
        heads_sha256=sha256_file(pretrained.heads),
        files={file.name: sha256_file(file) for file in (files.extremes, files.pairs, *map(files.table, tables))},
    ).write(files.record)


@dataclass(frozen=True)
class _Run:
    spec: PretrainSpec
    encoder: nn.Module
    projector: nn.Module | None
    head: nn.Module | None
    normalisation: tuple[Tensor, Tensor]
    data: PreparedData
    device: torch.device

    @property
    def augments(self) -> bool:
        """Return whether the run is trained with any augmentation."""
        return self.spec.policy is not None and bool(self.spec.policy.names)

    @cached_property
    def images(self) -> Tensor:
        """Return the measured images, uint8 [N, 3, S, S]."""
        return _tensor(self.data.images(self.split)[:IMAGES])

    @property
    def split(self) -> str:
        """Return the split whose images are measured."""
        return "test" if self.data.has("test") else "train"

    @property
    def policy(self) -> Policy:
        """Return the policy of pretraining, for the images' size."""
        return Policy(self.spec.policy, self.data.images(self.split).shape[1])


def _load(files: RunFiles, data: PreparedData, device: torch.device) -> _Run:
    encoder, metadata = load_encoder(files.encoder)
    spec = parse(PretrainSpec, RunRecord.read(files.record).spec, str(files.record)).resolved()
    projector = load_projector(files.heads, encoder.num_features, spec.projector)
    modules = (encoder, projector, load_uncertainty_head(files.heads))
    modules = (module if module is None else module.to(device) for module in modules)
    return _Run(spec, *modules, normalisation(metadata), data, device)


def _invariance(run: _Run, masks: Tensor | None) -> pd.DataFrame:
    spaces = (run.encoder, run.projector, masks)
    return measure_invariance(*spaces, run.spec.policy, run.images, run.normalisation, run.device)


def _retrieval(run: _Run) -> pd.DataFrame:
    return measure_retrieval(run.encoder, run.projector, run.policy, run.images, run.normalisation, run.device)


def _errors(run: _Run) -> dict[str, np.ndarray]:
    """Return the share of wrong neighbours of each measured image, by target; empty without labels or other images."""
    start = 0 if run.split == "test" else IMAGES
    bank = _tensor(run.data.images("train")[start : start + BANK])
    labels, bank_labels = run.data.labels(run.split), run.data.labels("train")
    if labels is None or bank_labels is None or len(bank) == 0:
        return {}
    features, bank_features = (
        encode_views(run.encoder, run.policy, images, run.policy.identity(len(images)), run.normalisation, run.device)
        for images in (run.images, bank)
    )
    chosen = bank_labels[start : start + BANK]
    return named_errors(neighbour_errors(bank_features, chosen, features, labels[:IMAGES]), list(run.data.targets))


def _learned_masks(heads_file: Path) -> tuple[Tensor | None, list[str]]:
    """Return masks [K, d], or None if there are only ones, and the run's augmentations."""
    weights, metadata = read_weights(heads_file)
    masks, augmentations = weights.get("masks"), json.loads(metadata.get("augmentations", "[]"))
    if masks is None or not bool((masks != 1).any()):
        return None, augmentations
    if len(masks) != len(augmentations):
        raise MastError(f"{heads_file}: {len(masks)} masks for {len(augmentations)} augmentations; pretrain again")
    return masks, augmentations


def _tensor(images: np.ndarray) -> Tensor:
    """Return uint8 [N, H, W, 3] as [N, 3, H, W]."""
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2)
