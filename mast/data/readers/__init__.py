"""Readers: one file for each kind of dataset, with its settings and everything that is known about such data."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, model_serializer

from mast.catalogue import Catalogue
from mast.data import outside
from mast.data.known_labels import KnownLabels, KnownObjects
from mast.settings import StrictModel


class Place:
    """Marker of a setting that is a path. Relative paths start below the configuration's `data_root`."""


DataPath = Annotated[str, Field(min_length=1), Place]


@dataclass(frozen=True)
class Origin:
    """Source of a public dataset's files."""

    root: Path
    """Directory of the files."""
    homepage: str
    gigabytes: float
    """Size of the archives, approximately."""
    archive: str | None
    """Address of the first archive that `prepare` fetches; None if the user has to get the data."""


class Reader(StrictModel, ABC):
    """Settings of one kind of dataset, and what is known about such data before they are prepared.

    The field `kind` of each reader is a literal: the name of its file, with `-` instead of `_`.
    """

    has_boxes: ClassVar[bool] = False
    """Whether objects in the images are annotated with boxes. Images of other data have labels or none."""
    descriptive: ClassVar[frozenset[str]] = frozenset({"licence", "unreadable", "download", "verify"})
    """Settings that do not change the content of data that are already prepared."""
    tiny: ClassVar[dict[str, Any]] = {}
    """Settings that replace those of a configuration with `scale: tiny`."""
    tiny_most: ClassVar[dict[str, int]] = {}
    """Upper limits for numbers of images with `scale: tiny`."""
    later: ClassVar[frozenset[str]] = frozenset()
    """Keys that were added later. They are left out of the spec at their default, so that data prepared by earlier
    versions stay up to date.
    """

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        new = {key for key in self.later if getattr(self, key) == fields[key].default}
        return {key: value for key, value in handler(self).items() if key not in new}

    @abstractmethod
    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Write the prepared form with `mast.data.prepared.writer.Writer`.

        Args:
            name: the dataset's name, recorded in the manifest.
            output: directory of the prepared data.
            threads: number of threads for decoding image files.

        Raises:
            MastError: a source is missing, damaged or does not fit the settings; one line that names it.
        """

    @property
    def train_count(self) -> int | None:
        """Number of training images; None if not known before preparing."""
        return None

    @property
    def known_labels(self) -> KnownLabels | None:
        """Labels that the prepared data will have; None if not known before preparing."""
        return None

    @property
    def labelled(self) -> bool | None:
        """Whether training images have labels; None if not known before preparing."""
        return None if self.known_labels is None else True

    @property
    def known_objects(self) -> KnownObjects | None:
        """Objects that prepared detection data will have; None if not known before preparing."""
        return None

    @property
    def known_names(self) -> set[bytes] | None:
        """Names of the training images' files, without folders; None if not known before preparing."""
        return None

    @property
    def prepared_bytes(self) -> int | None:
        """Size of the prepared images, bytes; 0 if they stay in place, None if it is not known beforehand."""
        return None

    @property
    def origin(self) -> Origin | None:
        """Source of missing files; None for the user's own data and for rendered data."""
        return None

    def sources(self) -> Iterator[outside.Place]:
        """Source files of the data. When they change, the data are prepared again.

        The default is everything in `needed`: every file of a directory, and the content of a file.

        Raises:
            MastError: they cannot be listed.
        """
        for place in self.needed():
            yield outside.Tree(place, every=True) if Path(place).is_dir() else outside.Text(place)

    def content(self) -> dict[str, Any]:
        """Settings that determine the content of the prepared data, without descriptive ones and paths."""
        placed = _without_places(self)
        return {key: value for key, value in placed.items() if key not in self.descriptive}

    def needed(self) -> list[str]:
        """Files and directories that must exist before the data can be prepared: the settings that are paths."""
        return places(self)

    def missing(self) -> list[str]:
        """Needed files and directories that do not exist."""
        return [place for place in self.needed() if not Path(place).exists()]

    def check(self, evaluated: bool) -> None:
        """Check for everything that would fail, as far as no image has to be decoded. `evaluated`: it is a task of a
        study.

        Raises:
            MastError: the data cannot be prepared, or not be evaluated on.
        """


READERS = Catalogue("mast.data.readers", Reader)
"""Kind → reader."""


def below(root: Path, model: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """Return settings as written, with relative paths placed below `root`."""
    placed = dict(values)
    for key, field in model.model_fields.items():
        value = values.get(key)
        if isinstance(value, str) and Place in field.metadata:
            placed[key] = str(root / value)
        elif isinstance(value, dict) and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            placed[key] = below(root, field.annotation, value)
    return placed


def places(settings: BaseModel) -> list[str]:
    """Return the values of all settings that are paths."""
    return list(_places(settings))


def _without_places(settings: BaseModel) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        if isinstance(value, BaseModel):
            kept[key] = _without_places(value)
        elif Place not in field.metadata:
            kept[key] = value
    return kept


def _places(settings: BaseModel) -> Iterator[str]:
    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        if Place in field.metadata:
            yield value
        elif isinstance(value, BaseModel):
            yield from _places(value)
