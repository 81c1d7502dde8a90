"""Commands that make tables and figures take long settings from standard input, and name a run without files."""

import io
import json
import sys
from pathlib import Path

import pytest
from support import ROOT
from support.records import write_run_record

from mast.catalogue import module_files
from mast.cli import main

LONGEST_ARGUMENT = 131_071
"""Bytes; Linux, MAX_ARG_STRLEN (include/uapi/linux/binfmts.h)."""


def test_settings_may_be_longer_than_an_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = str(write_run_record(tmp_path / "run.json"))
    spec = json.dumps({"mast": [record] * (LONGEST_ARGUMENT // len(record) + 1)})
    assert len(spec) > LONGEST_ARGUMENT
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(spec.encode())))
    assert main(["health", "--spec", "-", "--output", str(tmp_path / "health")]) == 0
    assert (tmp_path / "health.csv").read_text().count("mast,0") == json.loads(spec)["mast"].count(record)


def test_rules_of_the_report_pass_settings_by_standard_input() -> None:
    rules = (ROOT / "workflow/rules/report.smk").read_text(encoding="utf-8")
    assert rules.count("--spec - ") == rules.count("--spec ") == 5


@pytest.mark.parametrize("figure", module_files("mast.reporting.figures"))
def test_a_run_without_files_is_named(figure: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figure", figure, "--spec", '{"a": []}', "--output", str(tmp_path / "f")]) == 2
    assert capsys.readouterr().err == "mast: error: --spec: 'a' has no files; name one or more\n"
