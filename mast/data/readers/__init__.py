"""Readers: one file for each kind of dataset, with its settings and all that is known of such data."""

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
    """Marks a setting that is a path. Relative paths start below the configuration's `data_root`."""


DataPath = Annotated[str, Field(min_length=1), Place]


@dataclass(frozen=True)
class Origin:
    """Where the files of a public dataset come from."""

    root: Path
    """Where they lie."""
    homepage: str
    gigabytes: float
    """Size of the archives, roughly."""
    archive: str | None
    """Address of the first archive that `prepare` fetches; None where the user has to get the data."""


class Reader(StrictModel, ABC):
    """The settings of one kind of dataset, and what is known of such data before they are prepared.

    The field `kind` of each reader is a literal: the name of its file, with `-` in the place of `_`.
    """

    has_boxes: ClassVar[bool] = False
    """Whether objects in the images are annotated with boxes. Images of other data have labels, or none."""
    descriptive: ClassVar[frozenset[str]] = frozenset({"licence", "unreadable", "download", "verify"})
    """Settings that leave the content of data as it is which have been prepared once."""
    tiny: ClassVar[dict[str, Any]] = {}
    """Settings that replace those of a configuration with `scale: tiny`."""
    tiny_most: ClassVar[dict[str, int]] = {}
    """Numbers of images that are lowered to these with `scale: tiny`."""
    later: ClassVar[frozenset[str]] = frozenset()
    """Keys that came later: left out of the spec where they have their default, so that data prepared by earlier
    versions stay up to date."""

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        new = {key for key in self.later if getattr(self, key) == fields[key].default}
        return {key: value for key, value in handler(self).items() if key not in new}

    @abstractmethod
    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Write the prepared form with `mast.data.prepared.writer.Writer`.

        Args:
            name: recorded in the manifest.
            output: directory of the prepared data.
            threads: for decoding image files.

        Raises:
            MastError: a source is missing, damaged or not what the settings say; one line that names it.
        """

    @property
    def train_count(self) -> int | None:
        """Number of training images; None where only preparing the data tells."""
        return None

    @property
    def known_labels(self) -> KnownLabels | None:
        """The labels that the prepared data will have; None where only preparing the data tells."""
        return None

    @property
    def labelled(self) -> bool | None:
        """Whether training images have labels; None where only preparing the data tells."""
        return None if self.known_labels is None else True

    @property
    def known_objects(self) -> KnownObjects | None:
        """The objects that prepared detection data will have; None where only preparing the data tells."""
        return None

    @property
    def known_names(self) -> set[bytes] | None:
        """Names of the training images' files, without folders; None where only preparing the data tells."""
        return None

    @property
    def prepared_bytes(self) -> int | None:
        """Size of the prepared images, bytes; 0 where they stay in place, None where it is not known beforehand."""
        return None

    @property
    def origin(self) -> Origin | None:
        """Where missing files are to be had; None for the user's own data and for data that are rendered."""
        return None

    def sources(self) -> Iterator[outside.Place]:
        """The files outside from which the data are prepared: when they change, the data are prepared again.

        By default those that must be there: of directories every file, of files their content.

        Raises:
            MastError: they cannot be listed.
        """
        for place in self.needed():
            yield outside.Tree(place, every=True) if Path(place).is_dir() else outside.Text(place)

    def content(self) -> dict[str, Any]:
        """The settings from which the content of the prepared data follows: none that describe, and no paths."""
        placed = _without_places(self)
        return {key: value for key, value in placed.items() if key not in self.descriptive}

    def needed(self) -> list[str]:
        """Files and directories that must be there before the data can be prepared: the settings that are paths."""
        return places(self)

    def missing(self) -> list[str]:
        """Those that are not there."""
        return [place for place in self.needed() if not Path(place).exists()]

    def check(self, evaluated: bool) -> None:
        """Look for what will fail, as far as this needs no image to be decoded; `evaluated`: a study has it as task.

        Raises:
            MastError: the data cannot be prepared, or not be evaluated on.
        """


READERS = Catalogue("mast.data.readers", Reader)
"""Kind → reader."""


def below(root: Path, model: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """Settings as written, with those that are relative paths taken to lie below `root`."""
    placed = dict(values)
    for key, field in model.model_fields.items():
        value = values.get(key)
        if isinstance(value, str) and Place in field.metadata:
            placed[key] = str(root / value)
        elif isinstance(value, dict) and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            placed[key] = below(root, field.annotation, value)
    return placed


def places(settings: BaseModel) -> list[str]:
    """The values of all settings that are paths."""
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
