"""Every part of the GPU check works in miniature on a CPU, and its measurements are reported unchanged."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support import ROOT

from benchmarks.gpu import claim, document, runner
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.idle import busy_share
from benchmarks.gpu.options import parse
from benchmarks.gpu.parts import PARTS, Part
from benchmarks.gpu.record import Outcome, Record
from benchmarks.result import Section, Target

CPU = Bench(torch.device("cpu"), 1, tiny=True)
TINY = ("--device", "cpu", "--tiny")


@pytest.mark.slow(minutes=1)
def test_every_part_runs_in_miniature_on_a_cpu(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", *TINY, "--output", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert run.returncode == 0, run.stdout + run.stderr
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert list(parts) == list(PARTS)
    assert {name: part["problem"] for name, part in parts.items() if part["problem"]} == {}
    lines = [line for part in parts.values() for line in part["section"]["targets"]]
    assert all(line["name"] in (tmp_path / "gpu.md").read_text() for line in lines)
    assert (tmp_path / "gpu.png").stat().st_size > 0


def test_help_lists_the_parts_and_imports_no_torch() -> None:
    code = "import sys\nfrom benchmarks.gpu.options import parse\ntry: parse(['--help'])\n"
    code += "finally: sys.exit('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0
    assert all(name in run.stdout for name in PARTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cpu"], "add --tiny"),
        (["--only", "nothing"], "invalid choice"),
        (["--minutes", "0"], "above 0"),
        (["--claim", "inf"], "above 0"),
        (["--min", "3"], "unrecognized arguments"),
        (["--claim", "5", "--only", "idle"], "leave --only out"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_it_says_so_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(parse(["--output", str(tmp_path)]), 1) == 2
    assert capsys.readouterr().err.startswith("--device cuda: torch finds no CUDA device here")


def run_with(
    parts: dict[str, Callable[..., Section]], folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str
) -> int:
    """Parts of these functions, checks of correctness all of them, under the names of the first real ones."""
    stand_ins = {name: Part("none", name, 1.0, checks=True) for name in parts}
    functions = {id(part): parts[name] for name, part in stand_ins.items()}
    for module in ("runner", "record", "options"):
        monkeypatch.setattr(f"benchmarks.gpu.{module}.PARTS", stand_ins)
    monkeypatch.setattr(Part, "measure", lambda self: functions[id(self)])
    return runner.main(parse([*TINY, "--output", str(folder), *more]), torch.get_num_threads())


def line(name: str, measured: float) -> Callable[..., Section]:
    return lambda bench: Section(name, "stands in", targets=[Target(name, measured, 1)])


def crash(bench: Bench) -> Section:
    raise RuntimeError("the first line\nand another")


def test_a_crash_is_one_line_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with({"one": line("one", 1), "two": crash, "three": line("three", 1)}, tmp_path, monkeypatch) == 1
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert parts["two"]["problem"].startswith("crashed: RuntimeError: the first line (")
    assert parts["three"]["section"]["targets"][0]["met"] is True
    assert "- two: crashed: RuntimeError: the first line" in (tmp_path / "gpu.md").read_text()
    assert sum("two: crashed" in text for text in capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(("measured", "status"), [(1.0, 0), (0.5, 1), (float("nan"), 1)])
def test_the_exit_status_is_that_of_the_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: float, status: int
) -> None:
    assert run_with({"one": line("one", measured)}, tmp_path, monkeypatch) == status


def test_what_was_measured_is_kept_when_a_run_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(bench: Bench) -> Section:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_with({"one": line("one", 1), "two": killed}, tmp_path, monkeypatch)
    assert list(json.loads((tmp_path / "gpu.json").read_text())["parts"]) == ["one"]
    assert run_with({"one": crash, "two": line("two", 1)}, tmp_path, monkeypatch, "--keep", "--only", "two") == 0
    assert list(json.loads((tmp_path / "gpu.json").read_text())["parts"]) == ["one", "two"]


def test_a_part_ends_when_the_time_is_up_and_a_long_one_is_not_begun(tmp_path: Path) -> None:
    def endless(bench: Bench) -> Section:
        while True:
            pass

    part = Part("none", "never ends", 1.0)
    object.__setattr__(part, "measure", lambda: endless)
    assert runner._run(part, CPU, 0.05).problem == "cut off: the time was up"
    on_gpu = Bench(torch.device("cpu"), 1)
    assert runner._run(part, on_gpu, 0.5).problem == "left out: 0 s were left, and it takes about 1 s"


@pytest.mark.parametrize(
    ("spans", "share"),
    [([(0, 10)], 1.0), ([(0, 4), (6, 4)], 0.8), ([(0, 10), (2, 3), (8, 12)], 1.0), ([(5, 1), (0, 1), (9, 1)], 0.3)],
)
def test_the_device_is_busy_where_any_work_goes_on(spans: list[tuple[int, int]], share: float) -> None:
    events: list[dict[str, Any]] = [{"cat": "kernel", "ts": start, "dur": length} for start, length in spans]
    events += [{"cat": "cpu_op", "ts": -100, "dur": 500}, {"name": "process_name"}]
    assert busy_share(events, {"kernel"}) == pytest.approx(share)


def test_a_record_is_read_again_as_it_was_written(tmp_path: Path) -> None:
    section = Section("idle", "about", targets=[Target("a", 2.0, 3.0, False, "s")])
    section.add("case", "who", 1.5, "ms")
    record = Record(tmp_path, CPU, keep=False)
    record.add("views", Outcome(None, 0.0, "crashed: here", True))
    record.add("idle", Outcome(section, 1.0))
    again = Record(tmp_path, CPU, keep=True)
    assert again.outcomes == record.outcomes
    assert list(again.outcomes) == ["idle", "views"]
    assert again.failed


def test_the_page_shows_the_tables_between_its_markers_and_keeps_the_rest() -> None:
    page = (ROOT / document.DOCUMENT).read_text()
    filled = document.fill(page, "| a table |\n")
    assert filled != page and "| a table |" in filled
    assert document.fill(filled, page.split(document.BEGIN)[1].split(document.END)[0].strip() + "\n") == page


def test_the_claim_is_that_of_the_configuration() -> None:
    configured = yaml.safe_load((ROOT / "config/claim.yaml").read_text())
    shared = configured["pretrain"]
    assert {key: shared[key] for key in claim.CLAIM} == claim.CLAIM
    assert set(shared) - set(claim.CLAIM) == {"method", *claim.RESNET18}
    assert configured["protocols"]["linear"] == claim.LINEAR
    assert claim.OWN["mast"]["objective"] == configured["runs"]["mast"]["objective"]
    data = configured["datasets"]["shapes"]
    assert (data["train"], data["test"], data["seed"]) == (claim.TRAIN, claim.TEST, claim.IMAGES_SEED)
    assert claim.methods()[:2] == ["vicreg", "mast"]
    assert all(claim.settings(method).method == method for method in claim.methods())


def test_the_claims_table_pairs_methods_over_seeds() -> None:
    found = [
        claim.Trained(method, seed, {"shape": 50.0 + seed + 2 * (method == "mast"), "hue": 10.0}, 1.0)
        for seed in (0, 1, 2)
        for method in claim.methods()
    ]
    text = claim.report(found, "1 s a training")
    assert "| mast | shape | 51.0 ± 2.5 | 53.0 ± 2.5 | +2.0 [+2.0, +2.0] | [+2.0, +2.0] |" in text
    assert "| mast | hue | 10.0 ± 0.0 | 10.0 ± 0.0 | +0.0 [+0.0, +0.0] | [+0.0, +0.0] |" in text
