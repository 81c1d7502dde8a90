"""The `mast` program prints the right output and ends with the right status."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

import mast
from mast.cli import configuration, main
from mast.signals import StoppedBySignalError

CONFIG = ROOT / "config"
SMOKE = str(CONFIG / "smoke.yaml")


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a failing command prints."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("mast: error: ")
    assert printed.err.count("\n") == 1
    return printed.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"mast {mast.__version__}\n"


@pytest.mark.parametrize("name", ["config.yaml", "smoke.yaml"])
def test_validate_says_ok_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(CONFIG / name)]) == 0
    printed = capsys.readouterr().out
    assert ": ok (" in printed
    assert printed.count("\n") == 1


def test_validate_names_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text((CONFIG / "smoke.yaml").read_text(encoding="utf-8").replace("epochs: 2", "epohcs: 2"))
    message = error_of(["validate", str(file)], capsys)
    assert f"{file}: pretrain: unknown key 'epohcs'; did you mean 'epochs'?" in message


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["pretrain", "--config", SMOKE, "--run", "mats", "--seed", "0"], ["--run", "'mats'", "'mast'"]),
        (["pretrain", "--config", SMOKE, "--run", "mast", "--seed", "0", "--monitor", "{}"], ["--monitor", "--spec"]),
        (["prepare", "--config", SMOKE, "--dataset", "shape"], ["--dataset", "'shape'", "'shapes'"]),
        (["evaluate", "--config", SMOKE, "--protocol", "liner", "--run", "mast"], ["--protocol", "'linear'"]),
        (["evaluate", "--config", SMOKE, "--protocol", "linear", "--run", "mast"], ["--seed", "required"]),
        (["evaluate", "--spec", '{"kind": "knn"}', "--protocol", "knn"], ["--features", "required without --config"]),
        (["evaluate", "--spec", "{", "--protocol", "knn"], ["--spec", "not valid JSON"]),
        (["evaluate", "--spec", '{"kind": "knn", "kk": 3}', "--protocol", "knn"], ["--spec", "'kk'", "'k'"]),
        (["features", "--run", "mast"], ["--encoder", "required without --config"]),
        (["table", "--config", SMOKE, "--study", "liner"], ["--study", "'liner'", "'linear'"]),
        (["pretrain", "--config", "absent.yaml", "--run", "mast", "--seed", "0"], ["absent.yaml", "cannot be read"]),
    ],
)
def test_mistake_is_one_line(arguments: list[str], named: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    message = error_of(arguments, capsys)
    for word in named:
        assert word in message


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["pretrain", "--run", "mast", "--seed", "0"],
        ["pretrain", "--config", SMOKE, "--spec", "{}", "--run", "mast", "--seed", "0"],
        ["pretrain", "--config", SMOKE, "--run", "mast", "--seed", "0", "--threads", "0"],
        ["figure", "loses", "--config", SMOKE],
        ["features", "--thread", "4"],
        ["--vers"],
    ],
)
def test_wrong_usage_ends_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: mast" in capsys.readouterr().err


def test_a_stop_by_a_signal_has_a_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script can continue a stopped run, and need not repeat one that fails because of its input."""

    def stopped(_path: str) -> None:
        raise StoppedBySignalError("stopped by a signal after step 3 of 9; run again to continue")

    monkeypatch.setattr(configuration, "load_experiment", stopped)
    assert main(["validate", SMOKE]) == 75
    assert capsys.readouterr().err == "mast: error: stopped by a signal after step 3 of 9; run again to continue\n"


TRAIN = ["pretrain", "--config", SMOKE, "--run", "mast", "--seed"]
EMBED = ["embed", "--encoder", "e", "--images", "i", "--output", "o.npz"]


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        *(([*TRAIN, "0", "--gpus", value], "a whole number of 0 or more") for value in ("-1", "x", "1.5")),
        *(([*TRAIN, value], "a whole number from 0 to 2147483647") for value in ("-1", "2147483648", "x")),
        *(([*TRAIN, "0", "--checkpoint-minutes", value], "a number above 0") for value in ("nan", "-5", "0", "inf")),
        *((["watch", "results", "--every", value], "a number above 0") for value in ("inf", "nan", "0", "x")),
        *(([*EMBED, "--size", value], "a whole number of 1 or more") for value in ("0", "-3")),
        (["analyze", "--gpus", "-1"], "a whole number of 0 or more"),
        (["views", SMOKE, "--run", "mast", "--seed", "-1"], "a whole number from 0 to 2147483647"),
        (["evaluate", "--protocol", "knn", "--spec", "{}", "--seed", "-1"], "a whole number from 0 to 2147483647"),
        (["init", "photos", "--threads", "0"], "a whole number of 1 or more"),
    ],
)
def test_a_number_out_of_range_is_refused(
    arguments: list[str], allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(f" is not {allowed}")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("5,1", "the first value must be below the second"),
        ("1,2,3", "should have at most 2 entries, not 3"),
        ("ful", "'ful'"),
    ],
)
def test_a_wrong_range_is_named(given: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = error_of([*EMBED, "--range", given], capsys)
    assert "--range: " in message and said in message


def test_light_commands_do_not_import_torch() -> None:
    program = "import sys; from mast.cli import main; main(['schema']); print({'torch', 'pandas'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.endswith("\nset()\n")


class OutOfMemoryError(RuntimeError):
    """Stand-in for torch's error on a GPU."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_memory_that_runs_out_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Path) -> None:
        raise error

    monkeypatch.setattr(configuration, "load_experiment", fail)
    assert main(["validate", "config.yaml"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("mast: error: out of memory; give the job more")


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise RuntimeError("a mistake in the code")

    monkeypatch.setattr(configuration, "load_experiment", fail)
    with pytest.raises(RuntimeError, match="a mistake"):
        main(["validate", "config.yaml"])
