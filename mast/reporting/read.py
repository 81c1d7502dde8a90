"""Reading of the files that figures are drawn from: checked against the recorded hash, averaged over seeds."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mast.columns import ANALYSIS_COLUMNS
from mast.errors import MastError
from mast.files import require_recorded
from mast.reporting.tables.lines import NUMBERS
from mast.results import AnalysisFiles, RunFiles, sources_of

Runs = dict[str, Sequence[Path]]
"""Label of a run → its files, one per seed, in the order of the figure."""

ANALYSIS_TEXT = frozenset({"augmentation", "first", "second", "against", "name", "space", "representation"})
"""Columns of the analysis that contain text; all others contain numbers."""

NUMERIC = NUMBERS | set().union(*ANALYSIS_COLUMNS.values()) - ANALYSIS_TEXT
"""Columns of tables and of the analysis that contain numbers."""


def read_metrics_log(path: Path) -> pd.DataFrame:
    """Read the log of a run: a row per logged step. A last line cut short by a stopped run is left out.

    Raises:
        MastError: the file is missing or not the one in the run's record, or a line before the last is not a JSON
            object.
    """
    require_recorded(path, RunFiles(Path(path).parent).record)
    lines = _read_text(path).splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(dict(json.loads(line)))
        except (ValueError, TypeError):
            if number < len(lines):
                raise MastError(
                    f"{path}: line {number} is not a JSON object; delete the file and pretrain again"
                ) from None
    return pd.DataFrame(records)


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read arrays of a NumPy archive of the analysis, by name.

    Raises:
        MastError: the file is missing, damaged, not the one in the analysis's record, or lacks one of `names`.
    """
    require_recorded(path, AnalysisFiles(path.parent).record)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except Exception as error:  # numpy and zipfile raise many kinds of exception for damaged files: KeyError, …
        reason = " ".join(str(error).split())
        raise MastError(f"{path}: cannot be read ({reason}); analyze the run again") from None


def read_table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a CSV file of the analysis, or of a table.

    The columns `NUMERIC` contain numbers, NaN for an empty field. All others contain text, unchanged: a run may be
    called `None`, `NA`, `007` or `True`.

    Raises:
        MastError: the file is missing, damaged, not the one in the record next to it, or lacks one of `columns`.
    """
    for record in (AnalysisFiles(Path(path).parent).record, sources_of(Path(path))):
        require_recorded(path, record)
    try:
        table = pd.read_csv(path, dtype=str, na_filter=False)
    except (OSError, ValueError) as error:
        raise MastError(f"{path}: cannot be read ({' '.join(str(error).split())}); analyze the run again") from None
    for column in columns:
        if column not in table:
            raise MastError(f"{path}: no column {column!r}; delete it and analyze the run again")
    for column in NUMERIC.intersection(table):
        table[column] = _numbers(table[column], path)
    return table


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    """Return a column of text as int64, or as float64 if it contains a decimal point or an empty field."""
    try:
        return pd.to_numeric(column.astype(object).mask(column == ""))
    except ValueError:
        bad = next(text for text in column if pd.isna(pd.to_numeric(text or "0", errors="coerce")))
        raise MastError(
            f"{path}: {bad!r} in column {column.name!r} is not a number; delete it and rerun the rule that makes it"
        ) from None


def read_seeds(paths: Iterable[Path], columns: Sequence[str]) -> pd.DataFrame:
    """Return the rows of `read_table` of every seed, one after the other."""
    return pd.concat([read_table(path, columns) for path in paths])


def over_seeds(frames: Sequence[pd.DataFrame], x: str, y: str) -> pd.DataFrame:
    """Return mean, minimum and maximum over seeds of column `y` at each value of `x` that all seeds have.

    Returns:
        Columns `mean`, `min`, `max`, indexed by `x` in ascending order; empty if a seed has no such column.
    """
    series = [frame.set_index(x)[y].rename(seed) for seed, frame in enumerate(frames) if {x, y} <= set(frame)]
    if len(series) < len(frames) or not series:
        return pd.DataFrame(columns=["mean", "min", "max"])
    return pd.concat(series, axis=1, join="inner").sort_index().agg(["mean", "min", "max"], axis=1)


def _read_text(path: Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MastError(f"{path}: cannot be read ({error})") from None
