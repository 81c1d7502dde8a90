"""`mast verify` finds every damaged, swapped and outdated file, names it, and gives the command that rebuilds it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mast.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("verify")]

RUN = "pretrain/shapes/first/seed0"
OTHER = "pretrain/shapes/other/seed0"
ANALYSIS = "analysis/shapes/first/seed0"
METRICS = "metrics/knn/shapes/shapes/first/seed0.json"
DETECTION = "metrics/boxes/scenes/shapes/first/seed0"
RECORDED = (
    "data/shapes/manifest.json",
    "data/shapes/train_images.npy",
    "data/shapes/test_labels.npy",
    "data/shapes/val_indices.npy",
    "data/scenes/train_annotations.json",
    f"{RUN}/encoder.safetensors",
    f"{RUN}/heads.safetensors",
    f"{RUN}/metrics.jsonl",
    f"{RUN}/run.json",
    "features/shapes/first/seed0/shapes.npz",
    METRICS,
    f"{DETECTION}.json",
    f"{DETECTION}.predictions.json",
    f"{ANALYSIS}/masks.csv",
    f"{ANALYSIS}/extremes.npz",
    f"{ANALYSIS}/pairs.npz",
    f"{ANALYSIS}/analysis.json",
    *(f"tables/knn.{suffix}" for suffix in ("csv", "md", "tex", "html", "sources.json")),
    "export/shapes/first/seed0/model.safetensors",
)


def verify(results: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    """Exit status, one line per finding, the summary."""
    capsys.readouterr()
    status = main(["verify", str(results)])
    *lines, summary = capsys.readouterr().out.splitlines()
    return status, lines, summary


def flip_a_bit(file: Path, share: float) -> None:
    content = bytearray(file.read_bytes())
    content[int(share * (len(content) - 1))] ^= 1
    file.write_bytes(content)


def test_whole_results_pass(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines, summary = verify(results, capsys)
    assert (status, lines) == (0, [])
    files = sum(file.is_file() for file in results.rglob("*"))
    assert summary.startswith(f"{files} files read, ")
    assert summary.endswith("(0 have nothing here to compare with): 0 mismatches, 0 temporary files")


@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
@pytest.mark.parametrize("name", RECORDED)
def test_one_flipped_bit_is_found(results: Path, name: str, share: float, capsys: pytest.CaptureFixture[str]) -> None:
    flip_a_bit(results / name, share)
    status, lines, _ = verify(results, capsys)
    assert status == 1
    assert any(line.startswith(f"{results / name}: ") for line in lines), lines


@pytest.mark.parametrize("name", RECORDED)
def test_a_file_cut_off_is_found(results: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (results / name).write_bytes((results / name).read_bytes()[:-2])
    status, lines, _ = verify(results, capsys)
    assert status == 1
    assert any(line.startswith(f"{results / name}: ") for line in lines), lines


@pytest.mark.parametrize("name", RECORDED[1:9])
def test_a_recorded_file_that_is_gone_is_found(results: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (results / name).unlink()
    status, lines, _ = verify(results, capsys)
    assert (status, bool(lines)) == (1, True)
    assert any(name.rsplit("/", 1)[1] in line for line in lines)


def test_the_encoder_of_another_run_is_found_with_all_that_was_made_from_the_first(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(results / OTHER / "encoder.safetensors", results / RUN / "encoder.safetensors")
    status, lines, _ = verify(results, capsys)
    assert status == 1
    named = {line.split(": ")[0].removeprefix(f"{results}/") for line in lines}
    assert named == {
        f"{RUN}/encoder.safetensors",
        "features/shapes/first/seed0/shapes.npz",
        METRICS,
        f"{DETECTION}.json",
        f"{ANALYSIS}/analysis.json",
        "export/shapes/first/seed0/model.safetensors",
    }
    assert any("run 'other' differs from 'first' of run.json" in line for line in lines)


def test_metrics_moved_to_the_place_of_another_run_are_found(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copyfile(results / METRICS.replace("first", "other"), results / METRICS)
    status, lines, _ = verify(results, capsys)
    assert status == 1
    assert any(line.startswith(f"{results / METRICS}: run 'other' differs from 'first' of its path") for line in lines)
    assert any(line.startswith(f"{results}/tables/knn.sources.json: the recorded result") for line in lines)


def test_data_prepared_anew_leave_everything_made_from_the_old_ones_outdated(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = json.dumps({"kind": "shapes", "train": 64, "test": 40, "size": 16})
    assert main(["prepare", "--spec", spec, "--dataset", "shapes", "--output", str(results / "data/shapes")]) == 0
    status, lines, _ = verify(results, capsys)
    assert status == 1
    for name in (f"{RUN}/encoder.safetensors", f"{OTHER}/encoder.safetensors", METRICS):
        assert any(line.startswith(f"{results / name}: ") for line in lines), name
    assert not any(line.startswith(f"{results}/data") for line in lines)


def test_evaluating_again_with_the_same_result_leaves_the_table_valid(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((results / METRICS).read_text())
    spec = json.dumps({"kind": "knn", **before["settings"]})
    features = results / "features/shapes/first/seed0/shapes.npz"
    paths = ["--features", str(features), "--output", str(results / METRICS)]
    assert main(["evaluate", "--spec", spec, "--protocol", "knn", *paths]) == 0
    assert (results / METRICS).read_bytes() != b""
    assert verify(results, capsys)[:2] == (0, [])


def test_what_a_killed_job_leaves_is_listed_and_is_no_mismatch(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = f"""
import os, signal
from pathlib import Path
from mast.files import atomic_path
with atomic_path(Path({str(results / "tables/knn.csv")!r})) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    (results / "data/shapes/.partial").mkdir()
    status, lines, summary = verify(results, capsys)
    assert status == 0
    assert all(": temporary file of a job that runs or was killed" in line for line in lines) and len(lines) == 2
    assert summary.endswith("0 mismatches, 2 temporary files")


def test_an_outdated_checkpoint_and_curve_are_read_too(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "pretrain/shapes/running/seed0/checkpoints").mkdir(parents=True)
    (results / "pretrain/shapes/running/seed0/checkpoints/step000000007.pt").write_bytes(b"PK\x03\x04 cut off")
    (results / "pretrain/shapes/running/seed0/metrics.jsonl").write_text('{"step": 1}\n{"st', encoding="utf-8")
    status, lines, _ = verify(results, capsys)
    assert status == 1
    assert [line.split(": ")[0].rsplit("/", 1)[1] for line in lines] == ["step000000007.pt", "metrics.jsonl"]


def test_the_command_that_a_line_ends_with_names_what_is_to_be_made(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip_a_bit(results / "data/shapes/train_images.npy", 0.5)
    flip_a_bit(results / METRICS, 0.5)
    _, lines, _ = verify(results, capsys)
    ends = {line.split("; ", 1)[1] for line in lines}
    for target in (results / "data/shapes/manifest.json", results / METRICS):
        assert f"rm -f {target}; snakemake --profile profiles/default {target}" in ends


def test_no_directory_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no such directory" in capsys.readouterr().err


def test_verifying_needs_no_torch(results: Path) -> None:
    code = f"import sys, mast.cli; mast.cli.main(['verify', {str(results)!r}]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_array_longer_than_its_header_says_is_found(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "stray").mkdir()
    np.save(results / "stray/array.npy", np.zeros(3))
    with (results / "stray/array.npy").open("ab") as file:
        file.write(b"\0")
    status, [line], _ = verify(results, capsys)
    assert status == 1
    assert "longer than stated in its header" in line
