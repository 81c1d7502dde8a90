"""The features file (docs/use/formats.md, *Features*): the features of one task under one encoder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mast.errors import MastError
from mast.files import atomic_path
from mast.records import Origin

NESTED_SEED = 0
"""Seed of the validation images drawn from the training images if the real ones are scored (`split: val`)."""

PRESENCE = ("absent", "present")
"""Values of a target that is one class of a multi-label dataset. Label −1: the class is ignored."""


@dataclass(frozen=True)
class Features:
    """Frozen features of one task's images, with every label the task has."""

    train_features: np.ndarray
    """float32 [N, D]."""
    test_features: np.ndarray
    """float32 [M, D]."""
    train_labels: np.ndarray
    """int64 [N, T]; column t belongs to the t-th target."""
    test_labels: np.ndarray
    """int64 [M, T]."""
    val_indices: np.ndarray
    """int64 [V]: positions in train that form the validation split."""
    classes: Mapping[str, list[str]]
    """Target → class names, in the order of the label columns."""
    origin: Origin
    """Encoder and task of the features."""
    pooling: str = "global"
    """Pooling of the last stage (`mast.evaluation.features.POOLINGS`)."""


@dataclass(frozen=True)
class Split:
    """Images that a protocol fits on and is scored on."""

    train_features: np.ndarray
    """float32 [N, D]."""
    train_labels: np.ndarray
    """int64 [N, T]."""
    validation: np.ndarray
    """bool [N]: the training images on which hyper-parameters are chosen."""
    score_features: np.ndarray
    """float32 [M, D]."""
    score_labels: np.ndarray
    """int64 [M, T]."""


def write_features(path: Path, features: Features) -> None:
    """Write a features file, atomically."""
    pooled = {} if features.pooling == "global" else {"pooling": np.array(features.pooling)}
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            train_features=features.train_features,
            test_features=features.test_features,
            train_labels=features.train_labels,
            test_labels=features.test_labels,
            val_indices=features.val_indices,
            targets=np.array(list(features.classes)),
            classes=np.array(json.dumps(dict(features.classes))),
            metadata=np.array(json.dumps(features.origin.strings())),
            **pooled,
        )


def read_features(path: Path, ignore: bool = False) -> Features:
    """Read a features file and check that its arrays belong together; no pickled objects are loaded.

    `ignore` allows the label −1 in targets with the values PRESENCE.

    Raises:
        MastError: the file is missing or damaged, or has non-finite features or labels outside their classes.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            classes = json.loads(str(arrays["classes"]))
            features = Features(
                *(arrays[name] for name in ("train_features", "test_features", "train_labels", "test_labels")),
                val_indices=arrays["val_indices"],
                classes={str(target): classes[str(target)] for target in arrays["targets"]},
                origin=Origin.of(json.loads(str(arrays["metadata"])), "metadata"),
                pooling=_pooling(arrays),
            )
    except FileNotFoundError:
        raise MastError(f"{path}: no such file") from None
    except Exception as error:  # damaged files raise many kinds: KeyError, NotImplementedError, …
        reason = " ".join(str(error).split())
        raise MastError(
            f"{path}: not a readable features file ({reason}); delete it and extract again: "
            f"snakemake --profile profiles/default {path}"
        ) from None
    _check(path, features, ignore)
    return features


def read_origin(path: Path) -> tuple[Origin, str]:
    """Return a features file's encoder, task and pooling, without reading its arrays.

    Raises:
        MastError: one of them is missing.
    """
    with np.load(path, allow_pickle=False) as arrays:
        return Origin.of(json.loads(str(arrays["metadata"])), str(path)), _pooling(arrays)


def select(features: Features, split: Literal["test", "val"]) -> Split:
    """Select the images to fit on and to score.

    `test`: fit on train, choose on its validation images, score on test. `val`: the same one level down: fit on train
        without the validation images, choose on an equal share of the rest (drawn with `NESTED_SEED`), score on the
        validation images. So the scored images are not used for any choice.
    """
    validation = np.zeros(len(features.train_features), dtype=bool)
    validation[features.val_indices] = True
    if split == "test":
        return Split(
            features.train_features,
            features.train_labels,
            validation,
            features.test_features,
            features.test_labels,
        )
    fit = ~validation
    nested = np.zeros(int(fit.sum()), dtype=bool)
    chosen = np.random.default_rng(NESTED_SEED).permutation(len(nested))[: round(validation.mean() * len(nested))]
    nested[chosen] = True
    return Split(
        features.train_features[fit],
        features.train_labels[fit],
        nested,
        features.train_features[validation],
        features.train_labels[validation],
    )


def _pooling(arrays: Mapping[str, np.ndarray]) -> str:
    return str(arrays["pooling"]) if "pooling" in arrays else "global"


def _check(path: Path, features: Features, ignore: bool) -> None:
    for name, values, labels in (
        ("train", features.train_features, features.train_labels),
        ("test", features.test_features, features.test_labels),
    ):
        if values.ndim != 2 or labels.shape != (len(values), len(features.classes)) or not len(values):
            raise MastError(
                f"{path}: {name} features {values.shape} and labels {labels.shape} do not fit "
                f"{len(features.classes)} targets; extract again"
            )
        if bad := int((~np.isfinite(values)).any(axis=1).sum()):
            raise MastError(f"{path}: {bad} of {len(values)} {name} images have non-finite features; pretrain again")
        for column, (target, classes) in enumerate(features.classes.items()):
            lowest = -1 if ignore and tuple(classes) == PRESENCE else 0
            wrong = (labels[:, column] < lowest) | (labels[:, column] >= len(classes))
            if wrong.any():
                raise MastError(
                    f"{path}: {name} label {labels[wrong, column][0]} of target {target!r} is outside "
                    f"0…{len(classes) - 1}; prepare the data again"
                )
    for column, target in enumerate(features.classes):
        labels = features.train_labels[:, column]
        if len(np.unique(labels[labels >= 0])) < 2:
            raise MastError(f"{path}: the training images of target {target!r} hold one class; at least 2 are needed")
    if len(features.val_indices) and not 0 <= features.val_indices.min() <= features.val_indices.max() < len(
        features.train_features
    ):
        raise MastError(f"{path}: val_indices lie outside the {len(features.train_features)} training images")
