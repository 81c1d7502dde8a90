"""Semi-supervised evaluation: encoder and head fine-tuned on a share of the labels."""

import shutil
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mast.checkpoint import Checkpoints, checkpoints_of
from mast.config import SemiProtocol
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.prepared.subset import Subset
from mast.evaluation.features import encode
from mast.evaluation.images import LabelledImages, labelled_images
from mast.evaluation.metrics import classification_metrics, measured_with, write_metrics
from mast.evaluation.sgd import Training, build_heads, build_optimizer, identity, train_epochs
from mast.evaluation.subset_list import listed_positions
from mast.files import sha256_json
from mast.models.encoder import normalise
from mast.models.encoder_file import load_finite_encoder, normalisation, read_weights

VERSION = 1
"""Raised when a change of this file or of sgd.py changes results."""


def evaluate_semi(
    protocol: str, spec: SemiProtocol, encoder_file: Path, data: Path, output: Path, device: str = "cpu"
) -> None:
    """Fine-tune on the labelled share of each target in turn and write one metrics file (percent).

    The protocol is VICReg's (evaluate.py and README): encoder and head trained together, batch norm in train mode, a
    learning rate for each, cosine schedule, random resized crop and flip. Each target starts from the encoder file and
    has a subset of its own, whose hash is recorded. Scored after the last epoch. The seed is the encoder's.

    Raises:
        StoppedBySignalError: a signal to stop arrived; a checkpoint was written first.
        MastError: the encoder or the data are unusable, a list of labelled images does not fit the data, there are
            fewer labelled images than one batch, or training diverges; no metrics file is written.
    """
    started = time.perf_counter()
    task = open_prepared(data)
    images = labelled_images(task, spec.split)
    origin = measured_with(encoder_file, read_weights(encoder_file)[1], task)
    metrics, subsets = {}, {}
    for column, (target, classes) in enumerate(task.targets.items()):
        chosen = _labelled(spec, task, images.train_labels[:, column])
        share = LabelledImages(
            Subset(images.train_images, chosen),
            images.train_labels[chosen, column : column + 1],
            images.score_images,
            images.score_labels[:, column : column + 1],
        )
        subsets[target] = {"count": len(chosen), "sha256": subset_hash(chosen)}
        own = {**identity(spec, VERSION, origin), "target": target, "labelled": subsets[target]["sha256"]}
        checkpoints = Checkpoints(checkpoints_of(output) / str(column), own)
        scores = finetune(protocol, spec, encoder_file, share, len(classes), device, checkpoints)
        metrics[target] = classification_metrics(scores, share.score_labels[:, 0])
    write_metrics(
        output,
        protocol=protocol,
        spec=spec,
        version=VERSION,
        metadata=origin,
        metrics=metrics,
        counts={"train": len(images.train_images), "test": len(images.score_images)},
        seconds=time.perf_counter() - started,
        details={"labelled": subsets},
    )
    shutil.rmtree(checkpoints_of(output), ignore_errors=True)


def _labelled(spec: SemiProtocol, task: PreparedData, labels: np.ndarray) -> np.ndarray:
    """Positions of the images that keep their label: those of the list, or a share of each class."""
    if spec.subset_list is None:
        return labelled_subset(labels, spec.fraction, spec.subset_seed)
    return listed_positions(Path(spec.subset_list), task)


def labelled_subset(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Positions, int64 and ascending, of a share of each class in int [N]: rounded, at least one of each."""
    order = np.random.default_rng(seed).permutation(len(labels))
    members = [order[labels[order] == label] for label in np.unique(labels)]
    return np.sort(np.concatenate([own[: max(1, round(fraction * len(own)))] for own in members]))


def subset_hash(positions: np.ndarray) -> str:
    """SHA-256 of the JSON list of positions, 64 hex digits."""
    return sha256_json(positions.tolist())


def finetune(
    protocol: str,
    spec: SemiProtocol,
    encoder_file: Path,
    images: LabelledImages,
    classes: int,
    device: str,
    checkpoints: Checkpoints,
) -> np.ndarray:
    """Fine-tune a fresh copy of the encoder with one head; scores of the images to score, float32 [M, classes].

    Goes on from the newest of the checkpoints, of which the last holds the finished training.
    """
    encoder, metadata = load_finite_encoder(encoder_file)
    seed = int(metadata["seed"])
    torch.manual_seed(seed)
    encoder = encoder.to(device).train()
    mean, std = (statistic.to(device) for statistic in normalisation(metadata))
    heads = build_heads(encoder.num_features, [classes]).to(device)
    optimizer = build_optimizer(
        spec,
        [
            {"params": heads.parameters()},
            {"params": encoder.parameters(), "lr": spec.lr_backbone},
        ],
    )
    modules = nn.ModuleList([heads, encoder])

    def features(view: Tensor) -> Tensor:
        return encoder(normalise(view, mean, std))

    training = Training(protocol, spec, features, heads, modules, optimizer, seed, device, checkpoints)
    for _ in train_epochs(training, images):
        pass
    scored = np.concatenate(list(encode(encoder, images.score_images, mean, std, device)))
    with torch.no_grad():
        return heads[0](torch.from_numpy(scored).to(device)).cpu().numpy()
