"""Every command in the documentation is valid: its options, targets and names exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake.cli import parse_args
from support import ROOT
from support.projects import ENVIRONMENT, new_project

from mast.cli.program import _parser
from mast.config.experiment import Experiment
from mast.config.load import load_experiment
from mast.config.plan import of_runs
from mast.results import Results

PATTERNS = (
    "docs/**/*.md",
    "plugins/*/*.md",
    "plugins/*/docs/*.md",
    "config/**/*.md",
    "config/**/*.yaml",
    "profiles/**/*.yaml",
)
PAGES = [
    *sorted(file.relative_to(ROOT) for pattern in PATTERNS for file in ROOT.glob(pattern)),
    *map(Path, ("README.md", "CONTRIBUTING.md", "results/README.md", "Makefile")),
]

STANDS_FOR = {
    "config/mine.yaml": "config/config.yaml",
    "photos.yaml": "config/config.yaml",
    "profiles/mine": "profiles/slurm",
    "../mast/": "",
    "../shared/base.yaml": "config/config.yaml",
    "CONFIG": "config/config.yaml",
    "RESULTS_DIR": "results",
    "<exported folder>": "folder",
}
"""Name of a user's own file in a page → existing file."""

NOT_TRIED = {
    "snakemake --profile … --unlock": "the profile is left to the reader; --unlock is tried with the default one",
    "torchrun --standalone --nproc-per-node 2 --module -- mast.cli pretrain --config … --run … --seed 0": (
        "starts a training in two processes; tests/pretraining/test_distributed.py does"
    ),
}
"""Command → why it is not looked at."""

RULES = {"all", "data", "pretrain", "evaluate", "detection", "tables", "figures", "report", "pretrain_run"}
PROGRAMS = ("snakemake", "mast", "make", "torchrun")


def documented() -> dict[str, Path]:
    """Command → the first page that has it: in backticks, in a block, or a line of a Makefile's help or recipe."""
    found: dict[str, Path] = {}
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        pieces = re.findall(r"`((?:snakemake|mast|make|torchrun) [^`]+)`", re.sub(r"\n(# )?", " ", text))
        pieces += [re.sub(r"^[#@\s]*(\$\(RUN\) )?", "", line) for line in text.splitlines()]
        for piece in pieces:
            for command in re.split(r"&&|;|`|\s\|\s|\s>+\s|\s#\s|\s\)|   +", piece):
                command = re.sub(r"^\(?\s*(\$\(RUN\) )?", "", command).strip()
                if command.split(" ")[0] in PROGRAMS and is_command(command):
                    found.setdefault(" ".join(command.split()), page)
    return found


def is_command(text: str) -> bool:
    """Whether it is more than a sentence that begins with the name of a program."""
    _, *words = text.split(" ")
    return (
        bool(words)
        and not re.search(r"[,:.]$|\(|\b(is|the|and)\b|^mast <", text)
        and re.match(r"^[a-z<-]", words[0]) is not None
    )


COMMANDS = documented()


def words_of(command: str) -> list[str]:
    for name, place in STANDS_FOR.items():
        command = command.replace(name, place)
    return shlex.split(command)[1:]


def of(program: str) -> list[str]:
    return sorted(command for command in COMMANDS if command.split()[0] == program and command not in NOT_TRIED)


def test_the_pages_are_read() -> None:
    assert {"snakemake all --profile profiles/default --config results=elsewhere", "make demo"} <= COMMANDS.keys()
    assert NOT_TRIED.keys() <= COMMANDS.keys(), "no page has them any more"
    assert len(of("snakemake")) > 15 and len(of("mast")) > 10


@pytest.mark.parametrize("command", of("snakemake"))
def test_snakemake_knows_options_and_targets(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, arguments = parse_args(words_of(command))
    for profile in arguments.profile or ():
        assert Path(profile, "config.yaml").is_file(), profile
    files = arguments.configfile or ["config/config.yaml"]
    assert {change.partition("=")[0] for change in arguments.config or ()} <= Experiment.model_fields.keys()
    experiment = load_experiment(Path(files[0]))
    results = Results(experiment.results)
    encoders = of_runs(experiment, lambda *names: results.run(*names).encoder, experiment.runs)
    known = RULES | experiment.studies.keys() | {experiment.name} | set(encoders)
    assert set(arguments.targets) | set(arguments.forcerun or ()) | set(arguments.until or ()) <= known


@pytest.mark.parametrize("command", of("mast"))
def test_mast_knows_options_and_names(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    words = words_of(command)
    if len(words) == 1 or "--gpus" in words[:2]:  # its name in a sentence, or one option of it
        with pytest.raises(SystemExit) as end:
            _parser(words).parse_args([words[0], "--help"])
        assert end.value.code == 0 and set(words[1::2]) <= set(re.findall(r"--\w+", capsys.readouterr().out))
        return
    arguments = _parser(words).parse_args(words)
    config = getattr(arguments, "config", None)
    if config is not None:
        experiment = load_experiment(config)
        for option, section in (("run", "runs"), ("dataset", "datasets"), ("study", "studies")):
            name = getattr(arguments, option, None)
            assert name is None or name in getattr(experiment, section)


@pytest.mark.parametrize("command", of("make"))
def test_make_knows_the_target(command: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in words_of(command):
        assert re.search(rf"^{re.escape(target)}:", makefile, flags=re.MULTILINE), target


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "snakemake all --profile profiles/default --config results=elsewhere",
        "snakemake claim --profile profiles/default --configfile config/claim.yaml",
    ],
)
def test_snakemake_plans_what_is_documented(command: str, tmp_path: Path) -> None:
    assert command in COMMANDS
    project = new_project(tmp_path / "a project")
    snakefile = ("--dry-run", "--quiet", "--snakefile", str(ROOT / "Snakefile"))
    (project.directory / "profiles").symlink_to(ROOT / "profiles")
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", *words_of(command), *snakefile], cwd=project.directory, env=ENVIRONMENT
    )
    assert run.returncode == 0
