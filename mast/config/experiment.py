"""A whole configuration: datasets, runs, protocols, studies. References between them are checked."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from mast.catalogue import union
from mast.config.figures import Figures
from mast.config.monitor import MonitorSpec
from mast.config.pretrain import PretrainSpec
from mast.config.references import check_references
from mast.config.scale import placed, tiny
from mast.config.tables import DEFAULT_SUMMARY, ComparisonSpec, Metric, Summary, TableSpec, distinct, table_row
from mast.data.readers import READERS
from mast.protocols import PROTOCOLS
from mast.settings import PATTERNS, Count, Name, Once, StrictModel, one_line

DataSpec = union(READERS)
"""Settings of any dataset."""

ProtocolSpec = union(PROTOCOLS)
"""Settings of any protocol."""


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed is listed twice")
    return seeds


Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], Field(min_length=1), AfterValidator(_distinct)]


_DIRECTORY = r"^[A-Za-z0-9_./][A-Za-z0-9_./ -]*$"
PATTERNS[_DIRECTORY] = "a directory of results has letters, digits, spaces and _ . / - in its path"


class RunSpec(PretrainSpec):
    """A named run: settings that differ from `pretrain`, and its own seeds if it has any."""

    seeds: Seeds | None = None
    """Seeds of this run; overrides the configuration's `seeds`."""
    label: str | None = None
    """Name of the run in tables and figures (default: its key)."""


class Compare(StrictModel):
    """Runs of a study against a baseline, paired over seeds. The result is a second table, `<study>_comparison`."""

    baseline: Name
    """Run of the study that the others are compared with."""
    runs: Annotated[tuple[Name, ...], Field(min_length=1), Once]
    """Runs whose difference to the baseline is shown, for each task and over tasks."""


class Study(StrictModel):
    """Runs × tasks under one protocol: one table, and one target of the workflow."""

    title: str
    """Heading of the table."""
    caption: str = ""
    """One or two sentences below the table that say what is compared, and under which protocol."""
    protocol: Name
    """Name of the protocol (in `protocols`) under which the runs are evaluated."""
    tasks: Annotated[tuple[Name, ...], Field(min_length=1), Once]
    """Names of datasets to evaluate on. Each label of a dataset gets its own column."""
    runs: Annotated[tuple[Name, ...], Field(min_length=1), Once]
    """Names of the runs (in `runs`): the rows of the table, in this order."""
    settings: Annotated[tuple[str, ...], Once] = ()
    """Dotted keys of the runs' settings shown as columns before the results, e.g. `policy.augmentations`."""
    compare: Compare | None = None
    """Add a table of differences to a baseline."""
    metric: Metric | dict[Name, Metric] | None = None
    """Metric that the table shows, one for all tasks or per task: choose the one with which a dataset is usually
    reported. Tasks without it show `top1`, mAP for `svm-voc`, and AP, AP50, AP75 for detection. The CSV file has all
    metrics.
    """
    summary: Annotated[tuple[Summary, ...], Once] = DEFAULT_SUMMARY
    """Summaries over several tasks, as columns after them in this order. `mean`: their mean. `worst`: the lowest score
    of each seed. `rank`: mean over tasks of the rank among the table's runs within each seed (1 is best; runs trained
    with labels are left out). `corrected mean` and `corrected worst`: the same corrected for chance, left out if chance
    is not known. Not for detection.
    """
    seeds: Seeds | None = None
    """Seeds of its runs that are evaluated (default: all seeds of the runs)."""

    def metrics(self) -> dict[str, Metric]:
        """The chosen metric of each task that has one."""
        if self.metric is None or isinstance(self.metric, dict):
            return self.metric or {}
        return dict.fromkeys(self.tasks, self.metric)


class Resources(StrictModel):
    """Resources that one job of a stage needs."""

    threads: Count = 1
    """Number of CPU threads."""
    mem_mb: Count = 2000
    """Memory, MB."""
    runtime: Count = 30
    """Time limit, minutes."""
    gpus: Annotated[int, Field(ge=0)] = 0
    """Number of GPUs. Only `analyze` uses one; jobs of `prepare`, `evaluate` and `report` run on the CPU."""


class SharedResources(Resources):
    """Resources of a job whose work several processes share: one process for each GPU of each node."""

    gpus: Annotated[int, Field(ge=0)] = 0
    """Number of GPUs of each node; the processes share the work."""
    nodes: Count = 1
    """Number of nodes. More than one needs the submitit executor; each process then has `threads` of its own
    (docs/use/cluster.md).
    """

    @property
    def processes(self) -> int:
        """Number of processes that share the work."""
        return self.nodes * max(self.gpus, 1)


class PretrainResources(SharedResources):
    """Resources of one pretraining job."""

    runtime: Count = 120


class TransferResources(SharedResources):
    """Resources of one evaluation that trains on images or scenes."""

    mem_mb: Count = 3000
    runtime: Count = 120


class Stages(StrictModel):
    """Resources per stage of the workflow."""

    prepare: Resources = Resources()
    """Resources of a job that prepares a dataset."""
    pretrain: PretrainResources = PretrainResources()
    """Resources of one training run."""
    features: SharedResources = SharedResources()
    """Resources of a job that extracts an encoder's features of a dataset."""
    evaluate: Resources = Resources()
    """Resources of protocols that read features."""
    finetune: TransferResources = TransferResources()
    """Resources of protocols that read labelled images."""
    detection: TransferResources = TransferResources()
    """Resources of protocols that read scenes."""
    analyze: Resources = Resources()
    """Resources of a job that measures a run's masks, uncertainty and invariance."""
    report: Resources = Resources()
    """Resources of a job that makes a table, a figure or the report."""


class Experiment(StrictModel):
    """A validated configuration file."""

    name: Name = "experiment"
    """Name shown in the report. It is also a target of the workflow that makes everything, unless a study or rule has
    this name.
    """
    results: Annotated[str, Field(pattern=_DIRECTORY)] = "results"
    """Directory of all outputs."""
    data_root: str | None = None
    """Directory where relative paths of datasets and protocols start (default: the directory in which the command
    runs).
    """
    changed_data: Literal["prepare", "ignore"] = "prepare"
    """What to do when the files change from which a dataset was prepared. `prepare`: prepare it again and, if its
    content differs, rerun everything that depends on it. `ignore`: go on with the prepared data.
    """
    scale: Literal["full", "tiny"] = "full"
    """`tiny`: run every stage of this configuration on a few images per dataset, with a small encoder, one seed and one
    epoch, and write to `<results>-tiny`. It shows that everything runs; its numbers mean nothing.
    """
    datasets: Annotated[dict[Name, DataSpec], Field(min_length=1)]
    """Data to pretrain and to evaluate on, by name."""
    pretrain: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Settings shared by all runs; `runs` holds the differences."""
    seeds: Seeds = (0, 1)
    """Seeds of every run that does not set its own."""
    runs: Annotated[dict[Name, RunSpec], Field(min_length=1)]
    """Encoders to pretrain, by name: what differs from `pretrain`. Null: nothing differs."""
    protocols: Annotated[dict[Name, ProtocolSpec], Field(default_factory=dict)]
    """How encoders are evaluated; empty if they are only pretrained."""
    studies: Annotated[dict[Name, Study], Field(default_factory=dict)]
    """What is evaluated, one table per study. Without studies all runs are pretrained, and the table of their health
    and the figure of their losses are made.
    """
    figures: Figures = Figures()
    published: Annotated[str, Field(min_length=1)] | None = None
    """File of published values that tables show next to measured ones; a relative path starts in the working directory.
    The default is `config/published.yaml` there or, if it does not exist, next to the package. Without either file, no
    published values are shown.
    """
    monitor: MonitorSpec = MonitorSpec()
    resources: Stages = Stages()

    def run_seeds(self, run: str) -> tuple[int, ...]:
        """Return the seeds with which a run is pretrained."""
        return self.runs[run].seeds or self.seeds

    def pretrain_spec(self, run: str) -> PretrainSpec:
        """Return the resolved settings of one run: shared ones and its own, without those that its method does not
        read.
        """
        fields = {name: getattr(self.runs[run], name) for name in PretrainSpec.model_fields}
        return PretrainSpec.model_construct(**fields).resolved()

    def table_spec(self, study: str) -> TableSpec:
        """Return the settings of a study's table."""
        spec = self.studies[study]
        protocol = self.protocols[spec.protocol]
        return TableSpec(
            name=study,
            title=spec.title,
            caption=spec.caption,
            protocol=spec.protocol,
            kind=protocol.kind,
            tasks=spec.tasks,
            metrics=spec.metrics(),
            summary=spec.summary,
            **protocol.table_facts(),
            rows=tuple(
                table_row(run, self.runs[run].label, self.pretrain_spec(run), spec.settings) for run in spec.runs
            ),
        )

    def protocol_caption(self, study: str) -> str:
        """Return the report's description of how the protocol of a study measures."""
        return self.protocols[self.studies[study].protocol].CAPTION

    def detection_study(self, key: str) -> str:
        """Return the study whose detections the figures of this key show.

        Raises:
            ValueError: no study evaluates all runs of the key by detection.
        """
        for name, study in self.studies.items():
            runs = set(getattr(self.figures, key))
            if self.protocols[study.protocol].READS == "scenes" and runs <= set(study.runs):
                return name
        raise ValueError(f"figures.{key}: no study under a detection protocol has all these runs")

    def comparison_spec(self, study: str) -> ComparisonSpec:
        """Return the settings of the table of differences of a study with `compare`."""
        spec, compare = self.table_spec(study), self.studies[study].compare
        rows = {row.run: row for row in spec.rows}
        labels = distinct({run: rows[run].label for run in (compare.baseline, *compare.runs)})
        chosen = tuple(rows[run].model_copy(update={"label": label}) for run, label in labels.items())
        fields = {key: value for key, value in spec if key != "summary"}  # it shows them all
        return ComparisonSpec(**fields | {"rows": chosen})

    @model_validator(mode="before")
    @classmethod
    def _merge_shared_settings(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        shared, runs = values.get("pretrain") or {}, values.get("runs")
        if not isinstance(shared, dict) or not isinstance(runs, dict):
            return values
        _check_shared(shared)
        merged = {name: merge(shared, run or {}) if isinstance(run, dict | None) else run for name, run in runs.items()}
        return _placed_and_scaled({**values, "pretrain": shared, "runs": merged})

    @model_validator(mode="after")
    def _names_are_defined(self) -> Self:
        check_references(self)
        return self


def _placed_and_scaled(values: dict[str, Any]) -> dict[str, Any]:
    """Apply `data_root` and `scale` to the values of a configuration."""
    for section, kinds in (("datasets", READERS), ("protocols", PROTOCOLS)):
        if isinstance(values.get("data_root"), str) and isinstance(values.get(section), dict):
            values = {**values, section: placed(values["data_root"], values[section], kinds)}
    return tiny(values) if values.get("scale") == "tiny" else values


def _check_shared(shared: dict[str, Any]) -> None:
    """Report keys of `pretrain` that no run accepts as errors in `pretrain`, where the user wrote them."""
    try:
        PretrainSpec.model_validate({"dataset": "any", **shared})
    except ValidationError as error:
        never_right = [
            {**entry, "loc": ("pretrain", *entry["loc"])}
            for entry in error.errors()
            if entry["type"] != "value_error" or "unknown key" in entry["msg"]
        ]
        if never_right:
            raise ValueError(one_line(never_right, {"pretrain": shared})) from None


_REPLACED = {"mixture", "subset_probability", "predict"}
"""Mappings that a run replaces as a whole, because their keys are values and not settings."""


def merge(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Merge `own` into `shared`: its keys win, nested mappings are merged likewise, and lists are replaced."""
    merged = dict(shared)
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in _REPLACED:
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged
