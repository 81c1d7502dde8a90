"""Paths of all artefacts below the results directory (docs/use/formats.md). No other module knows the tree.

Names may be patterns: Snakemake's rules use `Results("results").run("{dataset}", "{run}", "{seed}").encoder`, and `mast
verify` uses `run("*", "*", "*")`. `dataset` is a prepared dataset; for a run, it is the dataset of pretraining. `task`
is the dataset on which an encoder is evaluated.
"""

from dataclasses import dataclass
from pathlib import Path

PREDICTIONS_SUFFIX = ".predictions.json"
SOURCES_SUFFIX = ".sources.json"


@dataclass(frozen=True)
class DataFiles:
    """A prepared dataset."""

    directory: Path

    @property
    def manifest(self) -> Path:
        """Manifest, written last: if it exists, the data are complete."""
        return self.directory / "manifest.json"

    @property
    def sources(self) -> Path:
        """State of the source files from which the data were prepared. Absent for rendered data."""
        return self.directory / "sources.npz"

    def images(self, split: str) -> Path:
        """Images of a split, for data stored as one array."""
        return self.directory / f"{split}_images.npy"

    def annotations(self, split: str) -> Path:
        """Objects in the images of a split."""
        return self.directory / f"{split}_annotations.json"


@dataclass(frozen=True)
class RunFiles:
    """Files that the pretraining of one run with one seed writes."""

    directory: Path

    @property
    def encoder(self) -> Path:
        """Weights of the backbone alone."""
        return self.directory / "encoder.safetensors"

    @property
    def heads(self) -> Path:
        """Weights of all networks that were trained with the encoder."""
        return self.directory / "heads.safetensors"

    @property
    def log(self) -> Path:
        """Log with a line of JSON for each logged step."""
        return self.directory / "metrics.jsonl"

    @property
    def events(self) -> Path:
        """TensorBoard's event files, if `monitor.tensorboard` is set; rules do not declare them as output."""
        return self.directory / "tensorboard"

    @property
    def record(self) -> Path:
        """Record of how the other files were produced, and their hashes."""
        return self.directory / "run.json"

    @property
    def checkpoints(self) -> Path:
        """State of an unfinished training run; rules do not declare it as output."""
        return self.directory / "checkpoints"


@dataclass(frozen=True)
class AnalysisFiles:
    """Files that the analysis of one run with one seed writes."""

    directory: Path

    def table(self, name: str) -> Path:
        """One table of numbers."""
        return self.directory / f"{name}.csv"

    @property
    def extremes(self) -> Path:
        """Images with the lowest and with the highest predicted uncertainty."""
        return self.directory / "extremes.npz"

    @property
    def pairs(self) -> Path:
        """A few pairs of views that the run trains on."""
        return self.directory / "pairs.npz"

    @property
    def record(self) -> Path:
        """Hashes of the other files, and of the files that they were made from."""
        return self.directory / "analysis.json"


@dataclass(frozen=True)
class Results:
    """A results directory."""

    root: Path

    def __post_init__(self) -> None:
        """Accept a string as well."""
        object.__setattr__(self, "root", Path(self.root))

    def data(self, dataset: str) -> DataFiles:
        """Paths of a prepared dataset."""
        return DataFiles(self.root / "data" / dataset)

    def run(self, dataset: str, run: str, seed: int | str) -> RunFiles:
        """Paths of one run with one seed."""
        return RunFiles(self.root / "pretrain" / _of_run(dataset, run, seed))

    def features(self, dataset: str, run: str, seed: int | str, task: str, pooling: str = "global") -> Path:
        """Features of one encoder on one task: `<task>.npz`, or `<task>+<pooling>.npz` with another pooling."""
        mark = "" if pooling == "global" else f"+{pooling}"
        return self.root / "features" / _of_run(dataset, run, seed) / f"{task}{mark}.npz"

    def metrics(self, protocol: str, task: str, dataset: str, run: str, seed: int | str) -> Path:
        """Metrics of one encoder on one task under one protocol."""
        return self.root / "metrics" / protocol / task / f"{_of_run(dataset, run, seed)}.json"

    def analysis(self, dataset: str, run: str, seed: int | str) -> AnalysisFiles:
        """Paths of the analysis of one run with one seed."""
        return AnalysisFiles(self.root / "analysis" / _of_run(dataset, run, seed))

    def export(self, dataset: str, run: str, seed: int | str) -> Path:
        """Folder of an exported encoder."""
        return self.root / "export" / _of_run(dataset, run, seed)

    def table(self, study: str) -> Path:
        """Table of a study, without the suffix of a format."""
        return self.root / "tables" / study

    def comparison(self, study: str) -> Path:
        """Table of a study's differences, without the suffix of a format."""
        return self.root / "tables" / f"{study}_comparison"

    @property
    def health(self) -> Path:
        """Table of the collapse indicators of all runs, without the suffix of a format."""
        return self.root / "health"

    def figure(self, name: str) -> Path:
        """Figure, without the suffix of a format."""
        return self.root / "figures" / name

    @property
    def index(self) -> Path:
        """Page to open first, with all tables and figures."""
        return self.root / "index.html"

    @property
    def report(self) -> Path:
        """Snakemake's page: the same tables and figures, and how each was made."""
        return self.root / "report.html"

    @property
    def config(self) -> Path:
        """Configuration that the report was made with."""
        return self.root / "config.json"

    def log(self, artefact: Path) -> Path:
        """Log of the job that makes an artefact of this directory."""
        return self.root / "logs" / f"{artefact.relative_to(self.root)}.log"

    def benchmark(self, artefact: Path) -> Path:
        """Time and memory of the job that makes an artefact of this directory."""
        return self.root / "benchmarks" / f"{artefact.relative_to(self.root)}.tsv"


def predictions_of(metrics: Path) -> Path:
    """Return the path of the detections next to a metrics file."""
    return metrics.with_name(metrics.name.removesuffix(".json") + PREDICTIONS_SUFFIX)


def metrics_of(predictions: Path) -> Path:
    """Return the path of the metrics file next to detections."""
    return predictions.with_name(predictions.name.removesuffix(PREDICTIONS_SUFFIX) + ".json")


def sources_of(table: Path) -> Path:
    """Return the path of the record of a table's sources, next to a file of the table."""
    return table.with_suffix(SOURCES_SUFFIX)


def checkpoints_of(output: Path) -> Path:
    """Return the directory for checkpoints of a training run whose result is one file; it is not a declared output."""
    return output.with_suffix(".checkpoints")


def suffixed(stem: Path, suffix: str) -> Path:
    """Return `<stem><suffix>`; a stem may contain dots."""
    return stem.with_name(stem.name + suffix)


def _of_run(dataset: str, run: str, seed: int | str) -> str:
    return f"{dataset}/{run}/seed{seed}"
