"""The table of collapse indicators shows every run and seed."""

import json
from pathlib import Path

import pandas as pd
import pytest
from support.records import write_run_record

from mast.cli import main
from mast.errors import MastError
from mast.files import read_sealed_json, write_sealed_json
from mast.reporting.tables.health import write_health


def run_file(folder: Path, name: str, seed: int, health: dict | None) -> Path:
    return write_run_record(folder / name / f"seed{seed}" / "run.json", run=name, seed=seed, health=health)


def healthy(std: float, **changed: object) -> dict:
    return {"embedding_std": std, "effective_rank": 51.26, "lowest_mask_mean": None, "collapsed": {}} | changed


def test_every_run_and_seed_has_a_line_and_a_collapse_stands_out(tmp_path: Path) -> None:
    signs = {"embedding_std": 40, "mask_mean": 90}
    runs = {
        "untrained": [run_file(tmp_path, "untrained", 0, None)],
        "mast": [
            run_file(tmp_path, "mast", 0, healthy(0.5731, lowest_mask_mean=0.97)),
            run_file(tmp_path, "mast", 1, healthy(0.0012, effective_rank=1.5, lowest_mask_mean=0.002, collapsed=signs)),
        ],
    }
    arguments = ["--spec", json.dumps({run: [str(file) for file in files] for run, files in runs.items()})]
    assert main(["health", *arguments, "--output", str(tmp_path / "health")]) == 0
    table = [line.split(" | ") for line in (tmp_path / "health.md").read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip("| ") for cell in row] for row in table]
    assert cells[2:] == [
        ["untrained", "0", "–", "–", "–", "–"],
        ["mast", "0", "0.573", "51.3", "0.97", "–"],
        ["mast", "1", "0.0012", "1.5", "0.002", "**embedding std from step 40; mask mean from step 90**"],
    ]
    frame = pd.read_csv(tmp_path / "health.csv")
    assert frame["embedding_std"].tolist()[1:] == [0.5731, 0.0012]
    for suffix in ("html", "tex"):
        assert "mask mean from step 90" in (tmp_path / f"health.{suffix}").read_text()


def test_a_run_without_health_is_named(tmp_path: Path) -> None:
    file = run_file(tmp_path, "mast", 0, None)
    write_sealed_json(file, {key: value for key, value in read_sealed_json(file).items() if key != "health"})
    with pytest.raises(MastError, match="health: Field required") as error:
        write_health({"mast": [file]}, tmp_path / "health")
    assert str(error.value).startswith(str(file))
