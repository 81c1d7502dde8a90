"""What is known about a dataset when the workflow is planned, from its prepared form or its source files."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from mast.config.experiment import Experiment
from mast.data.known_labels import KnownLabels, KnownObjects
from mast.data.readers import Reader, places
from mast.errors import MastError
from mast.preflight.standing import read_manifest
from mast.records import Manifest
from mast.results import DataFiles, Results

Told = TypeVar("Told")

CHANNELS = ("red", "green", "blue")


@dataclass
class Known:
    """One dataset. A member is None if its value is not known before preparing."""

    name: str
    spec: Reader
    files: DataFiles
    absent: bool = False
    """Whether the source is missing and that is accepted."""
    manifest: Manifest | None = field(default=None)
    """Manifest of data that are prepared and stay as they are."""

    def check(self, evaluated: bool) -> None:
        """Check for everything that would fail when the data are prepared; see `Reader.check`."""
        if self.manifest is None and not self.absent:
            self.spec.check(evaluated)

    @cached_property
    def count(self) -> int | None:
        """Number of training images."""
        if self.manifest is not None:
            return self.manifest.splits["train"]["count"]
        return None if self.absent else self.spec.train_count

    @property
    def labelled(self) -> bool | None:
        """Whether training images have labels."""
        if self.manifest is not None:
            return "train_labels.npy" in self.manifest.files
        return None if self.absent else self.spec.labelled

    @property
    def tested(self) -> bool | None:
        """Whether there is a test split."""
        return None if self.manifest is None else "test" in self.manifest.splits

    @property
    def flat_channel(self) -> str | None:
        """A channel that has the same value in all training images, if preparing has found one."""
        std = () if self.manifest is None else self.manifest.std
        return next((name for name, value in zip(CHANNELS, std, strict=False) if value == 0), None)

    @cached_property
    def labels(self) -> KnownLabels | None:
        """Labels of training and test images, if both have them."""
        if self.manifest is None:
            return None if self.absent else self._told(lambda: self.spec.known_labels)
        try:
            train, test, held_out = (
                np.load(self.files.directory / f"{name}.npy", mmap_mode="r")
                for name in ("train_labels", "test_labels", "val_indices")
            )
        except (OSError, ValueError):  # none, or damaged: the code that reads them reports it
            return None
        classes = {target: len(names) for target, names in self.manifest.targets.items()}
        return KnownLabels(classes, train, test, np.asarray(held_out))

    @cached_property
    def objects(self) -> KnownObjects | None:
        """Objects of detection data."""
        if self.manifest is None:
            return None if self.absent else self._told(lambda: self.spec.known_objects)
        counts = self.manifest.objects
        if "train" not in counts:
            return None  # prepared by an earlier version
        bare = sum(split["unmasked"] for split in counts.values())
        return KnownObjects(counts["train"]["annotated"], f"{bare} of them" if bare else None)

    def _told(self, look: Callable[[], Told]) -> Told | None:
        """Return what the source tells; if it is missing, only what is known without its files."""
        try:
            return look()
        except (MastError, OSError) as error:
            if self.spec.missing():
                return None
            raise MastError(f"datasets.{self.name}: {error}") from None

    @cached_property
    def names(self) -> set[bytes] | None:
        """Names of the training images' files, without folders, for data kept as an index."""
        if self.manifest is None:
            return None if self.absent else self._told(lambda: self.spec.known_names)
        if self.manifest.index is None:
            return None
        try:
            paths = np.load(self.files.directory / "train_paths.npy")
        except (OSError, ValueError):
            return None
        return {path.rsplit(b"/", 1)[-1] for path in paths.tolist()}


def known_datasets(experiment: Experiment, due: Collection[str] = (), anywhere: bool = False) -> dict[str, Known]:
    """Collect what is known about each dataset.

    Args:
        experiment: the configuration.
        due: datasets that are prepared, and will be prepared again.
        anywhere: missing data are no error.

    Raises:
        MastError: a manifest is damaged.
    """
    found = {}
    for name, spec in experiment.datasets.items():
        files = Results(experiment.results).data(name)
        known = found[name] = Known(name, spec, files)
        if files.manifest.exists() and name not in due:
            manifest = read_manifest(files.manifest)
            if manifest.spec == spec.model_dump(mode="json"):
                known.manifest = manifest
        known.absent = anywhere and known.manifest is None and not all(Path(place).exists() for place in places(spec))
    return found
