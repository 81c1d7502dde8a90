"""Where each artefact lies below the results directory (docs/use/formats.md): the one place that knows the tree.

Names may be patterns: `Results("results").run("{dataset}", "{run}", "{seed}").encoder` is what Snakemake's rules state,
`run("*", "*", "*")` what `mast verify` looks for. `dataset` is a prepared dataset, and of a run the one of its
pretraining; `task` is the dataset on which an encoder is evaluated.
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
        """Written last: where it is, the data are whole."""
        return self.directory / "manifest.json"

    @property
    def sources(self) -> Path:
        """The files outside that the data were prepared from, as they were then; of data that are rendered absent."""
        return self.directory / "sources.npz"

    def images(self, split: str) -> Path:
        """The images of a split, where they are one array."""
        return self.directory / f"{split}_images.npy"

    def annotations(self, split: str) -> Path:
        """The objects in the images of a split."""
        return self.directory / f"{split}_annotations.json"


@dataclass(frozen=True)
class RunFiles:
    """What the pretraining of one run with one seed writes."""

    directory: Path

    @property
    def encoder(self) -> Path:
        """The bare backbone."""
        return self.directory / "encoder.safetensors"

    @property
    def heads(self) -> Path:
        """All that was trained beside it."""
        return self.directory / "heads.safetensors"

    @property
    def log(self) -> Path:
        """A line of JSON for each logged step."""
        return self.directory / "metrics.jsonl"

    @property
    def events(self) -> Path:
        """TensorBoard's event files, where `monitor.tensorboard` is set; not an output that rules declare."""
        return self.directory / "tensorboard"

    @property
    def record(self) -> Path:
        """What produced the other files, and their hashes."""
        return self.directory / "run.json"

    @property
    def checkpoints(self) -> Path:
        """The state of an unfinished training; not an output that rules declare."""
        return self.directory / "checkpoints"


@dataclass(frozen=True)
class AnalysisFiles:
    """What the analysis of one run with one seed writes."""

    directory: Path

    def table(self, name: str) -> Path:
        """One table of numbers."""
        return self.directory / f"{name}.csv"

    @property
    def extremes(self) -> Path:
        """The images of lowest and of highest predicted uncertainty."""
        return self.directory / "extremes.npz"

    @property
    def pairs(self) -> Path:
        """A few pairs of views as the run trains on them."""
        return self.directory / "pairs.npz"

    @property
    def record(self) -> Path:
        """The hashes of the other files, and of those that they were made from."""
        return self.directory / "analysis.json"


@dataclass(frozen=True)
class Results:
    """A results directory."""

    root: Path

    def __post_init__(self) -> None:
        """Take a string too."""
        object.__setattr__(self, "root", Path(self.root))

    def data(self, dataset: str) -> DataFiles:
        """A prepared dataset."""
        return DataFiles(self.root / "data" / dataset)

    def run(self, dataset: str, run: str, seed: int | str) -> RunFiles:
        """One run with one seed."""
        return RunFiles(self.root / "pretrain" / _of_run(dataset, run, seed))

    def features(self, dataset: str, run: str, seed: int | str, task: str, pooling: str = "global") -> Path:
        """The features of one encoder on one task, `<task>.npz`, or pooled otherwise, `<task>+<pooling>.npz`."""
        mark = "" if pooling == "global" else f"+{pooling}"
        return self.root / "features" / _of_run(dataset, run, seed) / f"{task}{mark}.npz"

    def metrics(self, protocol: str, task: str, dataset: str, run: str, seed: int | str) -> Path:
        """The metrics of one encoder on one task under one protocol."""
        return self.root / "metrics" / protocol / task / f"{_of_run(dataset, run, seed)}.json"

    def analysis(self, dataset: str, run: str, seed: int | str) -> AnalysisFiles:
        """The analysis of one run with one seed."""
        return AnalysisFiles(self.root / "analysis" / _of_run(dataset, run, seed))

    def export(self, dataset: str, run: str, seed: int | str) -> Path:
        """The folder of an exported encoder."""
        return self.root / "export" / _of_run(dataset, run, seed)

    def table(self, study: str) -> Path:
        """A study's table, without the suffix of a format."""
        return self.root / "tables" / study

    def comparison(self, study: str) -> Path:
        """A study's table of differences, without the suffix of a format."""
        return self.root / "tables" / f"{study}_comparison"

    @property
    def health(self) -> Path:
        """The table of all runs' collapse indicators, without the suffix of a format."""
        return self.root / "health"

    def figure(self, name: str) -> Path:
        """A figure, without the suffix of a format."""
        return self.root / "figures" / name

    @property
    def index(self) -> Path:
        """The page to open first: all tables and figures."""
        return self.root / "index.html"

    @property
    def report(self) -> Path:
        """Snakemake's page: the same tables and figures, and how each was made."""
        return self.root / "report.html"

    @property
    def config(self) -> Path:
        """The configuration that the report was made with."""
        return self.root / "config.json"

    def log(self, artefact: Path) -> Path:
        """The log of the job that makes an artefact of this directory."""
        return self.root / "logs" / f"{artefact.relative_to(self.root)}.log"

    def benchmark(self, artefact: Path) -> Path:
        """Time and memory of the job that makes an artefact of this directory."""
        return self.root / "benchmarks" / f"{artefact.relative_to(self.root)}.tsv"


def predictions_of(metrics: Path) -> Path:
    """The detections beside a metrics file."""
    return metrics.with_name(metrics.name.removesuffix(".json") + PREDICTIONS_SUFFIX)


def metrics_of(predictions: Path) -> Path:
    """The metrics file beside detections."""
    return predictions.with_name(predictions.name.removesuffix(PREDICTIONS_SUFFIX) + ".json")


def sources_of(table: Path) -> Path:
    """The record beside a file of a table, which says what it was made from."""
    return table.with_suffix(SOURCES_SUFFIX)


def checkpoints_of(output: Path) -> Path:
    """The directory of the checkpoints of a training whose result is one file: beside it, no declared output."""
    return output.with_suffix(".checkpoints")


def suffixed(stem: Path, suffix: str) -> Path:
    """`<stem><suffix>`; a stem may hold dots."""
    return stem.with_name(stem.name + suffix)


def _of_run(dataset: str, run: str, seed: int | str) -> str:
    return f"{dataset}/{run}/seed{seed}"
