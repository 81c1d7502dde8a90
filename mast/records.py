"""Typed records of the result files, shared by writer, reader and `mast verify`. They generate docs/use/formats.md."""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mast.errors import MastError
from mast.files import read_sealed_json, sha256_json, write_sealed_json
from mast.results import RunFiles
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
        """Return the keys and values of the file, without the seal."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record.

        Raises:
            MastError: the file is missing, is not JSON, does not match its seal, is of another format, or lacks a key.
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
    """Metadata of a weight or features file: a JSON object of strings."""

    def strings(self) -> dict[str, str]:
        """Return key → value; values that are not strings become JSON. Keys whose value is None are left out."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}

    @classmethod
    def of(cls, strings: dict[str, str], source: str) -> Self:
        """Build the metadata from the result of `strings`; `source` begins the message of an error.

        Raises:
            MastError: a key is missing or has a wrong value.
        """
        texts = {name for name, field in cls.model_fields.items() if _is_text(field.annotation)}
        values = {key: value if key in texts else _from_json(value) for key, value in strings.items()}
        return parse(cls, values, source)


class Index(_Model):
    """Images that stay where they are."""

    root: str
    """Absolute path of the directory that the images' paths are relative to."""
    size: int
    """Side to which the images are resized, pixels."""
    range: PixelRange = "full"
    """Values that become 0 and 255, for images of more than 8 bits."""
    transform: Transform | None = None
    """How a whole image becomes a square."""
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
    """A prepared dataset, `manifest.json`. It is written last: if it exists, the dataset is complete."""

    format: Literal[1]
    """Version of the file's format."""
    name: str
    """Name of the dataset in the configuration."""
    spec: dict[str, Any]
    """Settings of the dataset."""
    source: str
    """Source of the data."""
    licence: str
    """Licence stated by the authors of the data."""
    targets: dict[str, list[str]]
    """Target → class names, in the order of the label columns."""
    splits: dict[str, dict[str, int]]
    """Split → `count` of images, number of `skipped` (unreadable) ones, other counts (`mast/data/prepared/notes.py`).
    """
    named: dict[str, dict[str, list[str]]] = {}
    """Split → count → the first 20 files that it counts."""
    objects: dict[str, dict[str, int]] = {}
    """Detection data only: split → number of `annotated` images, and of `unmasked` objects."""
    mean: Annotated[list[float], Field(min_length=3, max_length=3)]
    """Mean of the training images' channels, RGB in [0, 1]."""
    std: Annotated[list[float], Field(min_length=3, max_length=3)]
    """Standard deviation of the training images' channels, RGB."""
    files: Hashes
    """Name of each other file of the directory → SHA-256 of its content."""
    sha256: Sha256
    """Hash of `files`, which identifies the data."""
    index: Index | None = None
    """Present for data with `storage: index`."""

    @model_validator(mode="after")
    def _identity_is_that_of_the_files(self) -> Self:
        if self.sha256 != sha256_json(self.files):
            raise ValueError("'sha256' is not that of 'files'")
        return self


class Health(_Model):
    """State of a run at its end: the collapse indicators of the last logged step."""

    embedding_std: float
    """Standard deviation of the embeddings over the batch, mean over dimensions."""
    effective_rank: float
    """Effective rank of the embeddings, at least 1."""
    lowest_mask_mean: float | None = None
    """Smallest mean of a mask, in [0, 1]; null without masks."""
    collapsed: dict[str, int]
    """Indicator → first logged step at which it showed a collapse."""


class RunRecord(Record):
    """One pretraining run, `run.json`: what produced the files next to it."""

    run: str
    """Name of the run in the configuration."""
    dataset: str
    """Dataset of pretraining."""
    seed: int
    """Seed of the initial weights, the order of the images and the augmentations."""
    spec: dict[str, Any]
    """Resolved settings, without those that are null."""
    spec_sha256: Sha256
    """Hash of the resolved settings, including null ones."""
    data_sha256: Sha256
    """`sha256` of the dataset's manifest."""
    files: Hashes
    """Name of each of the three other files → SHA-256 of its content."""
    health: Health | None
    """Collapse indicators at the end; null for a run that is not trained."""
    wall_seconds: float
    """Duration of the job that finished the run, seconds; after an interruption, counted from the resumption."""
    mast: str
    """Version of this package."""
    commit: str
    """Commit of the code that ran, with `-dirty` where files differed from the commit."""
    python: str
    """Version of Python."""
    packages: dict[str, str]
    """Package → version."""
    host: str
    """Name of the machine."""
    cpu: str
    """Architecture of the processor."""
    device: str
    """Name of the GPU, or `cpu`."""
    threads: int
    """Number of CPU threads of each process."""
    processes: int
    """Number of processes that shared the work."""

    @property
    def encoder_sha256(self) -> str | None:
        """SHA-256 of the encoder file; None if the record does not list it."""
        return self.files.get(RunFiles(Path()).encoder.name)


class MetricsFile(Record):
    """One evaluation. Tables read only these files."""

    format: Literal[1]
    """Version of the file's format."""
    protocol: str
    """Name of the protocol in the configuration."""
    kind: str
    """Kind of the protocol, which is the name of its file."""
    version: int
    """Version of the protocol's code: results of two versions are not comparable."""
    settings: dict[str, Any]
    """Settings of the protocol."""
    task: str
    """Dataset on which the encoder was evaluated."""
    dataset: str
    """Dataset of pretraining."""
    run: str
    """Name of the run in the configuration."""
    seed: int
    """Seed of the run."""
    metrics: dict[str, dict[str, Percent | None]]
    """Target → metric → percent; null where a metric is undefined."""
    counts: dict[str, int]
    """Number of images: `train`, `test`; other counts of the protocol."""
    chance: dict[str, dict[str, Percent]] = {}
    """Target → metric → score reached without looking at the images, percent, where it is known."""
    details: dict[str, Any] | None = None
    """Further information needed to judge the numbers."""
    spec_sha256: Sha256
    """Hash of the run's settings."""
    data_sha256: Sha256
    """Hash of the pretraining data."""
    task_sha256: Sha256
    """`sha256` of the task's manifest."""
    encoder_sha256: Sha256
    """Hash of the file `encoder.safetensors`."""
    commits: tuple[str, ...] = ()
    """Versions of the code that trained, extracted and evaluated."""
    seconds: float
    """Duration of the evaluation, seconds."""

    def result_sha256(self) -> str:
        """Return the SHA-256 of the file's content without run time and commits; 64 hex digits."""
        return sha256_json({key: value for key, value in self.stored().items() if key not in ("seconds", "commits")})


class AnalysisRecord(Record):
    """One analysis, `analysis.json`: hashes of its files, and of the encoder and the heads that it measured."""

    format: Literal[1]
    """Version of the file's format."""
    encoder_sha256: Sha256
    """Hash of the file `encoder.safetensors`."""
    heads_sha256: Sha256
    """Hash of the file `heads.safetensors`."""
    files: Hashes
    """Name of each other file of the directory → SHA-256 of its content."""


class TableSources(Record):
    """Sources of a table, `<table>.sources.json`."""

    format: Literal[1]
    """Version of the file's format."""
    metrics: dict[str, Sha256]
    """Path of a metrics file, relative to this one → hash of its content without run time and commits."""
    files: Hashes
    """Hashes of the table's other files."""


class EncoderMetadata(Metadata):
    """Metadata of `encoder.safetensors`: what is needed to build the backbone and to use it."""

    FORMAT: ClassVar[str] = "mast-encoder-1"

    format: Literal["mast-encoder-1"] = "mast-encoder-1"
    """Name and version of the file's format."""
    run: str
    """Name of the run in the configuration."""
    dataset: str
    """Dataset of pretraining."""
    seed: int
    """Seed of the run."""
    encoder: str
    """Settings of the backbone, JSON."""
    mean: list[float]
    """Mean of each channel, for images in [0, 1]."""
    std: list[float]
    """Standard deviation of each channel, for images in [0, 1]."""
    spec_sha256: Sha256
    """Hash of the run's settings."""
    data_sha256: Sha256
    """Hash of the pretraining data."""


class HeadsMetadata(Metadata):
    """Metadata of `heads.safetensors`: what is needed to use the networks other than the encoder."""

    format: Literal["mast-heads-1"] = "mast-heads-1"
    """Name and version of the file's format."""
    run: str
    """Name of the run in the configuration."""
    dataset: str
    """Dataset of pretraining."""
    seed: int
    """Seed of the run."""
    augmentations: list[str]
    """Augmentations in the order of the masks' rows."""
    uncertainty: str | None = None
    """Settings from which the uncertainty head is rebuilt, JSON."""


class Origin(EncoderMetadata):
    """Metadata of a features file: the encoder's metadata, and the task."""

    encoder_sha256: Sha256
    """Hash of the file `encoder.safetensors`."""
    task: str
    """Dataset on which the encoder is evaluated."""
    task_sha256: Sha256
    """`sha256` of the task's manifest."""
    commits: list[str]
    """Versions of the code that trained and extracted."""


RECORDS = (Manifest, RunRecord, MetricsFile, AnalysisRecord, TableSources, EncoderMetadata, HeadsMetadata, Origin)
"""Records that docs/use/formats.md describes."""


def _is_text(annotation: Any) -> bool:
    return annotation in (str, Sha256, str | None) or getattr(annotation, "__origin__", None) is Literal


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
