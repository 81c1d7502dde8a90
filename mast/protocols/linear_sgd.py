"""Linear evaluation as on ImageNet: a head trained by SGD on augmented images, on top of the frozen encoder."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mast.checkpoint import Checkpoints, checkpoints_of
from mast.config import LinearSgdProtocol
from mast.data.prepared.store import open_prepared
from mast.evaluation.features import encode
from mast.evaluation.images import labelled_images
from mast.evaluation.metrics import classification_metrics, measured_with, write_metrics
from mast.evaluation.sgd import Training, build_heads, build_optimizer, identity, train_epochs
from mast.models.encoder import normalise
from mast.models.encoder_file import load_finite_encoder, normalisation

VERSION = 1
"""Raised when a change of this file or of sgd.py changes results."""


def evaluate_linear_sgd(
    protocol: str, spec: LinearSgdProtocol, encoder_file: Path, data: Path, output: Path, device: str = "cpu"
) -> None:
    """Train a linear head for every target of a task and write one metrics file (percent).

    The protocol is VICReg's (evaluate.py): the encoder frozen and in eval mode; SGD with momentum, cosine schedule;
    random resized crop and flip in training, images as prepared when they are scored. `top1`, `top5` (more than 5
    classes) and `mean_per_class` are those after the last epoch. `top1_best_epoch` is the highest top-1 after any
    epoch: it is chosen on the images that are scored, so it says how much would be gained by such a choice and is no
    result. The seed is the encoder's.

    Raises:
        StoppedBySignalError: a signal to stop arrived; a checkpoint was written first.
        MastError: the encoder or the data are unusable, there are fewer images than one batch, or training diverges; no
            metrics file is written.
    """
    started = time.perf_counter()
    task = open_prepared(data)
    images = labelled_images(task, spec.split)
    encoder, metadata = load_finite_encoder(encoder_file)
    seed = int(metadata["seed"])
    torch.manual_seed(seed)
    encoder = encoder.to(device).eval()
    mean, std = (statistic.to(device) for statistic in normalisation(metadata))
    heads = build_heads(encoder.num_features, [len(classes) for classes in task.targets.values()]).to(device)

    @torch.no_grad()
    def features(view: Tensor) -> Tensor:
        return encoder(normalise(view, mean, std))

    optimizer = build_optimizer(spec, [{"params": heads.parameters()}])
    scored = torch.from_numpy(np.concatenate(list(encode(encoder, images.score_images, mean, std, device))))
    origin = measured_with(encoder_file, metadata, task)
    checkpoints = Checkpoints(checkpoints_of(output), identity(spec, VERSION, origin))
    modules = nn.ModuleList([heads])
    training = Training(protocol, spec, features, heads, modules, optimizer, seed, device, checkpoints)
    for _ in train_epochs(training, images):
        with torch.no_grad():
            scores = [head(scored.to(device)).cpu().numpy() for head in heads]
        training.history.append([classification_metrics(s, images.score_labels[:, t]) for t, s in enumerate(scores)])
    metrics = {
        target: training.history[-1][t] | {"top1_best_epoch": max(epoch[t]["top1"] for epoch in training.history)}
        for t, target in enumerate(task.targets)
    }
    write_metrics(
        output,
        protocol=protocol,
        spec=spec,
        version=VERSION,
        metadata=origin,
        metrics=metrics,
        counts={"train": len(images.train_images), "test": len(images.score_images)},
        seconds=time.perf_counter() - started,
    )
    checkpoints.clear()
