"""Collect metrics files in one tidy frame, and refuse to mix what cannot be compared."""

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from mast.config.tables import TableSpec
from mast.errors import MastError
from mast.files import sha256_json
from mast.records import MetricsFile
from mast.reporting.statistics import above_chance

log = logging.getLogger(__name__)

COLUMNS = (
    *("protocol", "kind", "version", "task", "target", "metric", "dataset", "run", "seed", "value", "chance"),
    *("train_count", "test_count", "settings_sha256", "spec_sha256", "data_sha256", "task_sha256"),
    *("encoder_sha256", "commits", "seconds", "file"),
)
"""Columns of the tidy frame: one row per metric of one target in one metrics file."""

MUST_AGREE = (
    (("protocol", "task"), ("kind", "version", "settings_sha256", "task_sha256")),
    (("run",), ("dataset", "spec_sha256")),
    (("dataset",), ("data_sha256",)),
    (("run", "seed"), ("encoder_sha256",)),
)
"""(columns that identify a group, columns that have one value within it)."""


def collect(files: Iterable[Path]) -> pd.DataFrame:
    """Read metrics files into one tidy frame with columns `COLUMNS`; null metrics and unknown chance levels become NaN.

    Raises:
        MastError: a file is missing, damaged or has a wrong value; two files are of the same run, task and seed; two
            files that belong together differ in protocol settings or version, run settings, data or encoder; or one
            name is used for two states of the data.
    """
    records = [record for file in files for record in _records(Path(file))]
    frame = pd.DataFrame(records, columns=list(COLUMNS))
    frame[["value", "chance"]] = frame[["value", "chance"]].astype(float)
    for group, columns in MUST_AGREE:
        for column in columns:
            _require_agreement(frame, list(group), column)
    _require_one_state_of_data(frame)
    _require_one_file(frame)
    return frame


def corrected(frame: pd.DataFrame, columns: Iterable[tuple[str, str, str]]) -> pd.DataFrame | None:
    """Return a tidy frame with values corrected for chance; None if the chance of one of `columns` is not known.

    Args:
        frame: as `collect` returns it.
        columns: (task, target, metric) of the needed values.
    """
    named = pd.MultiIndex.from_frame(frame[["task", "target", "metric"]]).isin(list(columns))
    if frame.loc[named, "chance"].isna().any():
        return None
    return frame.assign(value=above_chance(frame["value"], frame["chance"]))


def code_note(frame: pd.DataFrame) -> list[str]:
    """Return one line that warns of results of several versions of the code, also logged; none for one version."""
    commits = sorted(set().union(*frame["commits"]))
    if len(commits) < 2:
        return []
    short = ", ".join(re.sub("^[0-9a-f]{40}", lambda commit: commit[0][:12], commit) for commit in commits)
    note = f"Results of {len(commits)} versions of the code: {short}."
    log.warning(note)
    return [note]


def require_fit(frame: pd.DataFrame, spec: TableSpec) -> None:
    """Refuse metrics that do not belong to the table.

    Raises:
        MastError: a file is of another protocol, task or run than the table's, or a task of the table has no file.
    """
    allowed = {
        "protocol": {spec.protocol},
        "kind": {spec.kind},
        "task": set(spec.tasks),
        "run": {row.run for row in spec.rows},
    }
    for column, values in allowed.items():
        for record in frame[~frame[column].isin(values)].itertuples():
            found, wanted = getattr(record, column), ", ".join(sorted(values))
            raise MastError(f"{record.file}: {column} {found!r} is not in table {spec.name!r} (it shows {wanted})")
    for task in spec.tasks:
        if task not in set(frame["task"]):
            raise MastError(f"table {spec.name!r}: no metrics file of task {task!r}; evaluate it first")


def _records(file: Path) -> Iterable[dict[str, Any]]:
    content = MetricsFile.read(file)
    shared = content.model_dump(exclude={"format", "metrics", "chance", "counts", "settings", "details"})
    shared |= {
        "train_count": content.counts.get("train"),
        "test_count": content.counts.get("test"),
        "settings_sha256": sha256_json(content.settings),
        "file": str(file),
    }
    for target, metrics in content.metrics.items():
        for metric, value in metrics.items():
            level = content.chance.get(target, {}).get(metric)
            yield {**shared, "target": target, "metric": metric, "value": value, "chance": level}


def _require_agreement(frame: pd.DataFrame, group: list[str], column: str) -> None:
    for names, part in frame.groupby(group, sort=False):
        different = part[part[column] != part[column].iloc[0]]
        if len(different):
            what = ", ".join(f"{key} {name!r}" for key, name in zip(group, names, strict=True))
            raise MastError(
                f"{part['file'].iloc[0]} and {different['file'].iloc[0]}: different {column} for {what}; "
                "delete the older file and rerun the rule that makes it"
            )


def _require_one_state_of_data(frame: pd.DataFrame) -> None:
    """Require that a dataset used for both training and evaluation is the same in both."""
    trained = frame.drop_duplicates("dataset").set_index("dataset")
    for record in frame.drop_duplicates("task").itertuples():
        if record.task in trained.index and trained.data_sha256[record.task] != record.task_sha256:
            raise MastError(
                f"{trained.file[record.task]} and {record.file}: trained and evaluated on different data of the name "
                f"{record.task!r} (data_sha256, task_sha256); train again, or prepare the data as they were"
            )


def _require_one_file(frame: pd.DataFrame) -> None:
    for (protocol, task, run, seed), part in frame.groupby(["protocol", "task", "run", "seed"], sort=False):
        files = part["file"].unique()
        if len(files) > 1:
            raise MastError(
                f"{files[0]} and {files[1]}: both hold {protocol} of run {run!r}, seed {seed} on {task!r}; "
                "pass each file once"
            )
