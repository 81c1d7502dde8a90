"""The artefacts' typed records, shared by writer, reader and `mast verify`; docs/use/formats.md is generated here."""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mast.errors import MastError
from mast.files import read_sealed_json, sha256_json, write_sealed_json
from mast.settings import PixelRange, Transform, Transparency, Turning, parse

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Percent = Annotated[float, Field(ge=0, le=100)]
Hashes = dict[str, Sha256]
"""File name → SHA-256 of its content."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Record(_Model):
    """A JSON file that ends with the hash of all its other keys."""

    def write(self, path: Path) -> None:
        """Write the record, sealed, atomically. Keys whose value is their default are left out."""
        write_sealed_json(path, self.stored())

    def stored(self) -> dict[str, Any]:
        """The keys and values of the file, without the seal."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record.

        Raises:
            MastError: the file is missing, is not JSON, is not what it was sealed with, is of another format, or lacks
                a key.
        """
        content = read_sealed_json(path)
        field = cls.model_fields.get("format")
        if field is not None and content.get("format") not in get_args(field.annotation):
            raise MastError(
                f"{path}: format {content.get('format')!r}, this version reads {get_args(field.annotation)[0]}; "
                "delete it and rerun the rule that makes it"
            )
        return parse(cls, content, str(path))


class Metadata(_Model):
    """The metadata of a weight or features file: a JSON object of strings."""

    def strings(self) -> dict[str, str]:
        """Key → value; what is no string as JSON. Keys whose value is None are left out."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}

    @classmethod
    def of(cls, strings: dict[str, str], source: str) -> Self:
        """From what `strings` gave; `source` begins the message of an error.

        Raises:
            MastError: a key is missing or has a wrong value.
        """
        texts = {name for name, field in cls.model_fields.items() if _is_text(field.annotation)}
        values = {key: value if key in texts else _from_json(value) for key, value in strings.items()}
        return parse(cls, values, source)


class Index(_Model):
    """Images that stay in place."""

    root: str
    """Absolute path of the directory that their paths are relative to."""
    size: int
    """Side to which they are brought, pixels."""
    range: PixelRange = "full"
    """Of images of more than 8 bits, the values that become 0 and 255."""
    transform: Transform | None = None
    """How a whole image becomes the square."""
    exif: Turning = "upright"
    """Whether images are turned as EXIF says."""
    transparency: Transparency = "white"
    """What transparent pixels become."""

    @property
    def reading(self) -> dict[str, Any]:
        """The same, by the arguments of `mast.data.prepared.index.IndexedImages`."""
        same = {"transform": self.transform, "transparency": self.transparency}
        return {"levels": self.range, "upright": self.exif == "upright", **same}


class Manifest(Record):
    """A prepared dataset, `manifest.json`. Written last, so a manifest means a complete dataset."""

    format: Literal[1]
    name: str
    """The dataset's name in the configuration."""
    spec: dict[str, Any]
    """The dataset's settings."""
    source: str
    """Where the data come from."""
    licence: str
    """What their authors state."""
    targets: dict[str, list[str]]
    """Target → class names, in the order of the label columns."""
    splits: dict[str, dict[str, int]]
    """Split → `count` images, `skipped` ones that could not be read, other counts (`mast/data/prepared/notes.py`)."""
    named: dict[str, dict[str, list[str]]] = {}
    """Split → count → the files that it counts, the first 20 of them."""
    objects: dict[str, dict[str, int]] = {}
    """Of detection data: split → number of `annotated` images, and of `unmasked` objects."""
    mean: Annotated[list[float], Field(min_length=3, max_length=3)]
    """Of the training images' channels, RGB in [0, 1]."""
    std: Annotated[list[float], Field(min_length=3, max_length=3)]
    """Likewise, the standard deviation."""
    files: Hashes
    """Name of each other file of the directory → SHA-256 of its content."""
    sha256: Sha256
    """Hash of `files`: the identity of the data."""
    index: Index | None = None
    """Of data with `storage: index`."""

    @model_validator(mode="after")
    def _identity_is_that_of_the_files(self) -> Self:
        if self.sha256 != sha256_json(self.files):
            raise ValueError("'sha256' is not that of 'files'")
        return self


class Health(_Model):
    """How a run ended: the collapse indicators of the last logged step."""

    embedding_std: float
    """Mean over dimensions of the embeddings' standard deviation over the batch."""
    effective_rank: float
    """Of the embeddings, from 1."""
    lowest_mask_mean: float | None = None
    """Smallest mean of a mask, in [0, 1]; null without masks."""
    collapsed: dict[str, int]
    """Indicator → first logged step at which it showed a collapse."""


class RunRecord(Record):
    """One pretraining, `run.json`: what produced the files beside it."""

    run: str
    """The run's name in the configuration."""
    dataset: str
    """The dataset of pretraining."""
    seed: int
    """Of the initial weights, the order of the images and the augmentations."""
    spec: dict[str, Any]
    """The resolved settings, without those that are null."""
    spec_sha256: Sha256
    """Hash of the resolved settings, null ones included."""
    data_sha256: Sha256
    """`sha256` of the dataset's manifest."""
    files: Hashes
    """Name of each of the three other files → SHA-256 of its content."""
    health: Health | None
    """Null for a run that is not trained."""
    wall_seconds: float
    """Of the job that finished the run; after an interruption, from the resuming on."""
    mast: str
    """Version of this package."""
    commit: str
    """The code that ran, `-dirty` where files differed from the commit."""
    python: str
    packages: dict[str, str]
    """Package → version."""
    host: str
    cpu: str
    """Architecture of the processor."""
    device: str
    """Name of the GPU, or `cpu`."""
    threads: int
    """CPU threads of each process."""
    processes: int


class MetricsFile(Record):
    """One evaluation: the only thing that tables read."""

    format: Literal[1]
    protocol: str
    """The protocol's name in the configuration."""
    kind: str
    """The protocol's kind, which is the name of its file."""
    version: int
    """Of the protocol's code: results of two versions are not comparable."""
    settings: dict[str, Any]
    """The protocol's."""
    task: str
    """The dataset on which the encoder was evaluated."""
    dataset: str
    """The dataset of pretraining."""
    run: str
    """The run's name in the configuration."""
    seed: int
    metrics: dict[str, dict[str, Percent | None]]
    """Target → metric → percent; null where a metric is undefined."""
    counts: dict[str, int]
    """Images: `train`, `test`; other counts of the protocol."""
    chance: dict[str, dict[str, Percent]] = {}
    """Target → metric → percent that is reached without a look at the images, where that is known."""
    details: dict[str, Any] | None = None
    """What a reader needs beside it to judge the numbers."""
    spec_sha256: Sha256
    """Of the run's settings."""
    data_sha256: Sha256
    """Of the data of pretraining."""
    task_sha256: Sha256
    """`sha256` of the task's manifest."""
    encoder_sha256: Sha256
    """Of the file `encoder.safetensors`."""
    commits: tuple[str, ...] = ()
    """The versions of the code that trained, extracted and evaluated."""
    seconds: float

    def result_sha256(self) -> str:
        """SHA-256 of what the file states, without how long it took and which commits measured it; 64 hex digits."""
        return sha256_json({key: value for key, value in self.stored().items() if key not in ("seconds", "commits")})


class AnalysisRecord(Record):
    """One analysis, `analysis.json`: the hashes of its files, and of the encoder and the heads that it measured."""

    format: Literal[1]
    encoder_sha256: Sha256
    heads_sha256: Sha256
    files: Hashes
    """Name of each other file of the directory → SHA-256 of its content."""


class TableSources(Record):
    """What a table was made from, `<table>.sources.json`."""

    format: Literal[1]
    metrics: dict[str, Sha256]
    """Path of a metrics file, relative to this one → hash of what it states, without times and commits."""
    files: Hashes
    """The table's other files."""


class EncoderMetadata(Metadata):
    """Of `encoder.safetensors`: what is needed to build the backbone and to use it."""

    FORMAT: ClassVar[str] = "mast-encoder-1"

    format: Literal["mast-encoder-1"] = "mast-encoder-1"
    run: str
    """The run's name in the configuration."""
    dataset: str
    """The dataset of pretraining."""
    seed: int
    encoder: str
    """Settings of the backbone, JSON."""
    mean: list[float]
    """Of each channel; images in [0, 1] are normalised with it."""
    std: list[float]
    """Likewise, the standard deviation."""
    spec_sha256: Sha256
    """Of the run's settings."""
    data_sha256: Sha256
    """Of the data of pretraining."""


class HeadsMetadata(Metadata):
    """Of `heads.safetensors`: what is needed to use the networks beside the encoder."""

    format: Literal["mast-heads-1"] = "mast-heads-1"
    run: str
    dataset: str
    seed: int
    augmentations: list[str]
    """In the order of the masks' rows."""
    uncertainty: str | None = None
    """Settings from which the uncertainty head is rebuilt, JSON."""


class Origin(EncoderMetadata):
    """What a features file says of the encoder and of the task: the encoder's metadata, and more."""

    encoder_sha256: Sha256
    """Of the file `encoder.safetensors`."""
    task: str
    """The dataset on which the encoder is evaluated."""
    task_sha256: Sha256
    """`sha256` of the task's manifest."""
    commits: list[str]
    """The versions of the code that trained and extracted."""


RECORDS = (Manifest, RunRecord, MetricsFile, AnalysisRecord, TableSources, EncoderMetadata, HeadsMetadata, Origin)
"""What docs/use/formats.md describes."""


def _is_text(annotation: Any) -> bool:
    return annotation in (str, Sha256, str | None) or getattr(annotation, "__origin__", None) is Literal


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
