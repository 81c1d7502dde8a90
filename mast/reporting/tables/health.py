"""One table of collapse indicators from the record of every run and seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mast.records import RunRecord
from mast.reporting.tables.layout import ABSENT, Cell, Layout, Row
from mast.reporting.tables.outputs import write_formats

INDICATORS = {
    "embedding_std": "embedding std",
    "effective_rank": "effective rank",
    "lowest_mask_mean": "lowest mask mean",
}
"""Key of a run's `health` → title of its column."""


def write_health(runs: Mapping[str, Sequence[Path]], output_stem: Path) -> None:
    """Write `<output_stem>.csv`, `.md`, `.tex` and `.html`: a line per run and seed.

    Args:
        runs: name of a run → its record for each seed.
        output_stem: the table's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    records = [_record(run, file) for run, files in runs.items() for file in files]
    csv = pd.DataFrame(records).to_csv(index=False, lineterminator="\n")
    write_formats(output_stem, csv, _layout(records))


def _record(run: str, file: Path) -> dict[str, Any]:
    record = RunRecord.read(file)
    signs = record.health.collapsed if record.health else {}
    return {
        "run": run,
        "seed": record.seed,
        **{key: getattr(record.health, key, None) for key in INDICATORS},
        "collapsed": "; ".join(f"{INDICATORS.get(name, 'mask mean')} from step {step}" for name, step in signs.items()),
    }


def _layout(records: list[dict[str, Any]]) -> Layout:
    rows = [
        Row(
            (
                *(Cell(text) for text in (record["run"], str(record["seed"]))),
                *(Cell(ABSENT if record[key] is None else f"{record[key]:.3g}") for key in INDICATORS),
                Cell(record["collapsed"] or ABSENT, bold=bool(record["collapsed"])),
            )
        )
        for record in records
    ]
    columns = ("run", "seed", *INDICATORS.values(), "collapsed")
    return Layout(
        name="health",
        title="Health of the runs",
        caption="At the last logged step of pretraining.",
        groups=(("", len(columns)),),
        columns=columns,
        text_columns=2,
        rows=tuple(rows),
        notes=(
            "Standard deviation over a batch (training aims at 1) and effective rank (1: a single direction) of the "
            "embeddings; the smallest mean of a mask (0: an augmentation without a subspace).",
            "Collapsed: which indicator fell below its threshold, and the first logged step at which it had.",
        ),
    )
