"""Every command that the documentation tells users to type is run, planned or checked, or it is said here why not.

| level | of which commands | what is tried |
|---|---|---|
| run | `RUN` | the command, word by word, in a directory of its own |
| run with other names | `RUN_WITH_OTHER_NAMES` | by the test that stands beside it, on smaller data; and checked |
| planned | all of make, `PLANNED` | a dry run by the program itself |
| checked | others of mast, snakemake, pip, pytest, python | the options, and that what they name exists |
| not tried | `NOT_RUN` | nothing, for the reason that stands beside it |
"""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from snakemake.cli import parse_args, parse_config
from snakemake.utils import update_config
from support import ROOT
from support.pages import documented, pages, project_of, strangers, studies_of
from support.projects import ENVIRONMENT, new_project

from benchmarks.gpu.options import parse as options_of_gpu
from mast.cli.program import build_parser, main
from mast.config.experiment import Experiment
from mast.config.load import load_experiment
from mast.config.plan import of_runs
from mast.config.text import read_yaml
from mast.results import Results
from mast.settings import parse
from mast.starter import choose

COMMANDS = documented()

STANDS_FOR = {
    "config/mine.yaml": "config/config.yaml",
    "photos.yaml": "config/config.yaml",
    "profiles/mine": "profiles/slurm",
    "../mast/": "",
    "../shared/base.yaml": "config/config.yaml",
    "CONFIG": "config/config.yaml",
    "RESULTS_DIR": "results",
    "<…>": "folder",
}
"""Name of a user's own file in a page → existing file."""

RUN = {
    "mast init photos --minutes 2": 0,
    "mast init photos": 0,
    "mast views photos.yaml --run mast -o views.png": 0,
    "mast watch photos.yaml": 0,
    "mast validate config/mine.yaml": 0,
    "mast doctor config/mine.yaml": 0,
    "mast doctor config/paper/stl10.yaml": 1,  # the data are not there
    "mast schema": 0,
    "mast schema --markdown": 0,
    "mast schema --formats": 0,
    "mast schema --api": 0,
    "mast schema --commands": 0,
}
"""Command → its status, in this order in a directory with `photos/` and `config/`, where mine.yaml is a copy."""

PLUGIN = "plugins/snakemake-executor-plugin-submitit"
RUN_WITH_OTHER_NAMES = {
    "make package": ".github/workflows/tests.yml",
    "make test": ".ci/run",
    "mast doctor config/paper/imagenet.yaml": "tests/preflight/test_doctor.py::test_data_are_named_with_their_address",
    "mast embed --encoder <…> --images photos --output photos.npz": (
        "tests/export/test_export.py::test_embedding_an_export_is_what_plain_timm_computes"
    ),
    "mast export --config config/config.yaml --run mast --seed 0": (
        "tests/export/test_export.py::test_torch_hub_gives_the_same_features"
    ),
    "mast fill README.md --results results": "tests/reporting/test_pages.py::test_the_readme_can_be_filled",
    "mast pretrain --config config/config.yaml --run mast --seed 0": (
        "tests/workflow/test_smoke.py::test_the_same_seed_gives_the_same_encoder_byte_for_byte"
    ),
    "mast prepare --config config/config.yaml --dataset shapes": (
        "tests/verify/test_verify.py::test_whole_results_pass"
    ),
    "mast verify results": "tests/verify/test_verify.py::test_whole_results_pass",
    "python examples/explore.py results": "tests/examples/test_examples.py::test_results_are_read_with_pandas",
    "python examples/lightning_module.py --epochs 2": "tests/examples/test_examples.py::test_lightning_module_trains",
    "python examples/plain_pytorch.py path/to/images --epochs 100": (
        "tests/examples/test_examples.py::test_plain_pytorch_trains_on_a_folder_of_images"
    ),
    "snakemake --executor submitit --submitit-cluster local --jobs 2": (
        f"{PLUGIN}/tests/test_local.py::test_jobs_of_one_and_of_two_tasks_run_in_local_processes"
    ),
    "snakemake --lint": "tests/workflow/test_lint.py::test_workflow_is_clean",
    "snakemake --profile profiles/default --unlock": (
        "tests/faults/test_workflow_kills.py::test_killed_at_random_points"
    ),
    "snakemake --profile profiles/default -n all": (
        "tests/workflow/test_plan.py::test_default_plan_is_fast_and_holds_every_stage"
    ),
    "snakemake --profile profiles/default all": "tests/workflow/test_smoke.py::test_every_artefact_is_there",
    "snakemake --profile profiles/default tables": (
        "tests/workflow/test_smoke.py::test_tables_are_rebuilt_from_metrics_without_torch"
    ),
    "snakemake --profile profiles/slurm all": (
        "tests/slurm/test_same_tables.py::test_the_whole_smoke_configuration_gives_the_same_tables_everywhere"
    ),
    "snakemake --profile profiles/submitit-local all": (
        "tests/slurm/test_same_tables.py::test_the_whole_smoke_configuration_gives_the_same_tables_everywhere"
    ),
    "snakemake all --profile profiles/default --configfile config/paper/stl10.yaml --config scale=tiny data_root=few": (
        "tests/paper/test_paper.py::test_runs_as_a_whole_on_fixtures"
    ),
    "snakemake all --snakefile ../mast/Snakefile --profile ../mast/profiles/default --configfile ../shared/base.yaml": (
        "tests/workflow/test_pretraining_alone.py::test_a_checkout_elsewhere_pretrains_in_any_working_directory"
    ),
}
"""Command → what runs it, with data or settings of its own; the command itself is checked."""

PLANNED = (
    "snakemake all --profile profiles/default --config results=elsewhere",
    "snakemake claim --profile profiles/default --configfile config/claim.yaml",
)

NOT_RUN = {
    "benchmarks/wheels.sh 3.12 wheels": "downloads packages",
    "cd mast": "the folder is the checkout",
    "conda activate mast": "as below",
    "conda env create --file environment.yml": (
        "makes an environment of 6 GB; tests/config/test_environment.py compares the file with what is required"
    ),
    "cp -r profiles/slurm profiles/mine": "copies what the reader is to change",
    "curl --create-dirs -o imagenet_subsets/${share}percent.txt https://raw.githubusercontent.com/google-research/simclr/"
    "master/imagenet_subsets/${share}percent.txt": "asks the network",
    "git clone <…> mast": "the address is left to the reader",
    "git diff": "a mention",
    "git subtree split --prefix plugins/snakemake-executor-plugin-submitit": (
        "for a release: reads the whole history, which a shallow clone does not have"
    ),
    "grep -l linear/shapes/shapes/mast/seed0.json results/tables/*.sources.json": "reads what make demo has made",
    "hf download --repo-type dataset": "asks the network; which dataset is left to the reader",
    "kill -9": "a mention; tests/faults/test_workflow_kills.py does it",
    "pip install snakemake-executor-plugin-submitit": "not published yet",
    "pip install torch torchvision --index-url https://download.pytorch.org/whl/cu126": "asks the network",
    "pip install uv==0.13.9": "asks the network",
    "python3 -m venv .venv": "makes an environment, as make .venv/installed does",
    "pip install pre-commit": "asks the network",
    "pre-commit install": "writes a hook into the checkout; the hook's programs are those of make lint",
    "rm -r results/tables": "a test of tests/workflow/test_smoke.py removes the files that are in it",
    "scancel <…>": "SLURM's own",
    "seff <…>": "SLURM's own",
    "snakemake --profile … --unlock": "the profile is left to the reader; --unlock is tried with the default one",
    "source .venv/bin/activate": "changes a shell; make .venv/installed makes the file",
    "squeue --me": "SLURM's own",
    "srun --kill-on-bad-exit": "a mention; the plugin's tests/slurm/test_jobs.py ends such tasks",
    "tail -f results/logs/pretrain/<…>/<…>/seed<…>.log": "never ends",
    "tensorboard --logdir results": "a server; tests/pretraining/test_monitor.py reads its files with its own reader",
    "torchrun --standalone --nproc-per-node 2 --module -- mast.cli pretrain --config … --run … --seed 0": (
        "starts a training in two processes; tests/pretraining/test_distributed.py does"
    ),
}
"""Command → why it is not tried."""

CHECKED = ("make", "mast", "pip", "pytest", "python", "snakemake")
RULES = {"all", "data", "pretrain", "evaluate", "detection", "tables", "figures", "report", "pretrain_run"}


def of(program: str) -> list[str]:
    return sorted(
        command for command in COMMANDS if command.split()[0].rpartition("/")[2] == program and command not in NOT_RUN
    )


def words_of(command: str) -> list[str]:
    for name, place in STANDS_FOR.items():
        command = command.replace(name, place)
    return [word for word in shlex.split(command)[1:] if word != "…"]


def test_every_command_is_tried_or_it_is_said_why_not() -> None:
    said = [*RUN, *RUN_WITH_OTHER_NAMES, *PLANNED, *NOT_RUN]
    assert len(said) == len(set(said)), "named twice"
    assert set(said) - COMMANDS.keys() == set(), "no page has them any more"
    checked = {command for program in CHECKED for command in of(program)}
    assert COMMANDS.keys() - checked - NOT_RUN.keys() == set(), "say in NOT_RUN why they are not tried"


def test_no_command_in_backticks_begins_with_an_unknown_program() -> None:
    found = {page.name: strangers(page.read_text(encoding="utf-8")) for page in pages() if page.suffix == ".md"}
    assert {page: codes for page, codes in found.items() if codes} == {}, "add the program to PROGRAMS in support.pages"


def test_first_steps_run_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, random = new_project(tmp_path / "a project").directory, np.random.default_rng(0)
    shutil.copy(project / "config/config.yaml", project / "config/mine.yaml")
    for number in range(48):
        file = project / f"photos/{('cat', 'dog')[number % 2]}/{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(file)
    monkeypatch.chdir(project)
    monkeypatch.setattr(choose, "_images_per_second", lambda *_: 100.0)  # tests/starter measures it
    for command, status in RUN.items():
        if command.startswith("mast init"):
            Path("photos.yaml").unlink(missing_ok=True)
        assert main(shlex.split(command)[1:]) == status, command
    assert (project / "views.png").is_file()


@pytest.mark.parametrize(("command", "place"), RUN_WITH_OTHER_NAMES.items())
def test_what_runs_a_command_with_other_names_is_there(command: str, place: str) -> None:
    file, _, test = place.partition("::")
    assert (f"def {test}(" if test else command) in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", of("snakemake"))
def test_snakemake_knows_options_and_targets(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, arguments = parse_args(words_of(command))
    for profile in np.atleast_1d(arguments.profile or []):  # one text up to Snakemake 9.18
        assert Path(profile, "config.yaml").is_file(), profile
    file = Path((arguments.configfile or ["config/config.yaml"])[0])
    values = read_yaml(file)
    update_config(values, parse_config(arguments.config) if arguments.config else {})
    experiment = parse(Experiment, values, str(file))
    results = Results(experiment.results)
    encoders = of_runs(experiment, lambda *names: results.run(*names).encoder, experiment.runs)
    shown = set().union(*map(studies_of, COMMANDS[command]))
    studies = experiment.studies.keys() | shown
    assert {*arguments.targets, *(arguments.until or ())} <= RULES | studies | {experiment.name} | set(encoders)
    # A study is a rule without output: to force it makes nothing again.
    assert set(arguments.forcerun or ()) <= {"pretrain_run", *(f"table_{study}" for study in studies)}


@pytest.mark.parametrize("command", of("mast"))
def test_mast_knows_options_and_names(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    words = words_of(command)
    if len(words) == 1 or "--gpus" in words[:2]:  # its name in a sentence, or one option of it
        with pytest.raises(SystemExit) as end:
            build_parser(words).parse_args([words[0], "--help"])
        assert end.value.code == 0 and set(words[1::2]) <= set(re.findall(r"--\w+", capsys.readouterr().out))
        return
    arguments = build_parser(words).parse_args(words)
    config = getattr(arguments, "config", None)
    if config is not None:
        experiment = load_experiment(config)
        for option, section in (("run", "runs"), ("dataset", "datasets"), ("study", "studies")):
            name = getattr(arguments, option, None)
            assert name is None or name in getattr(experiment, section)


@pytest.mark.parametrize("command", of("make"))
def test_make_plans_the_target(command: str) -> None:
    subprocess.run(["make", "--dry-run", *words_of(command)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("command", of("pip"))
def test_pip_finds_the_project_and_its_extras(command: str) -> None:
    words = [word for word in words_of(command)[1:] if word != "--editable"]
    for page, word in ((page, word) for page in COMMANDS[command] for word in words):
        folder, extras = re.fullmatch(r"([^\[]+)(?:\[(.+)\])?", word).groups()
        place = project_of(page)
        file = next(above / folder / "pyproject.toml" for above in (place, place.parent) if (above / folder).is_dir())
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        assert extras is None or extras in project["optional-dependencies"]


@pytest.mark.parametrize("command", of("pytest"))
def test_pytest_has_the_marker(command: str) -> None:
    for page in COMMANDS[command]:
        project = tomllib.loads((project_of(page) / "pyproject.toml").read_text(encoding="utf-8"))
        markers = {re.match(r"\w+", marker)[0] for marker in project["tool"]["pytest"]["ini_options"]["markers"]}
        words = words_of(command)
        assert words == [] or (words[0] == "-m" and words[1].removeprefix("not ") in markers)


@pytest.mark.parametrize("command", of("python"))
def test_python_has_the_file_or_module_and_it_takes_the_options(command: str) -> None:
    file, *words = words_of(command)
    if file != "-m":
        text = (ROOT / file).read_text(encoding="utf-8")
        assert all(word in text for word in words if word.startswith("--"))
        return
    module, *words = words
    assert importlib.util.find_spec(module) is not None
    if module == "benchmarks":
        assert all((ROOT / f"benchmarks/{section}.py").is_file() for section in words)
    elif module == "benchmarks.gpu":
        options_of_gpu(words)
    else:
        assert words == []


@pytest.mark.slow
@pytest.mark.parametrize("command", PLANNED)
def test_snakemake_plans_what_is_documented(command: str, tmp_path: Path) -> None:
    project = new_project(tmp_path / "a project").directory
    (project / "profiles").symlink_to(ROOT / "profiles")
    words = [*words_of(command), "--dry-run", "--quiet", "--snakefile", ROOT / "Snakefile"]
    subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=project, env=ENVIRONMENT, check=True)
