"""A rule's resources become the right script for sbatch, recorded by a stand-in for SLURM's commands."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from snakemake.iocontainers import ResourceList

from snakemake_executor_plugin_submitit import ExecutorSettings, backends, resources
from snakemake_executor_plugin_submitit.backends import Slurm
from snakemake_executor_plugin_submitit.errors import SubmissionError
from snakemake_executor_plugin_submitit.payload import Payload
from snakemake_executor_plugin_submitit.resources import parameters

GOLDEN = Path(__file__).with_name("golden")
CASES = {
    "plain": (1, {}),
    "gpu": (4, {"mem_mb": 16000, "runtime": 240, "gpus": 1, "slurm_partition": "gpu", "slurm_account": "vision"}),
    "nodes": (8, {"mem_mb": 64000, "runtime": 1440, "gpus": 4, "nodes": 2, "qos": "long", "constraint": "a100"}),
    "tasks": (2, {"nodes": 2, "tasks": 4, "runtime": 30}),
    "gres": (
        1,
        {"gres": "gpu:a100:2", "slurm_extra": "--reservation=course --mail-type=FAIL --exclusive", "tmpdir": "/t"},
    ),
}
SBATCH = """#!/bin/bash
for script; do :; done
cp "$script" "$RECORD"
echo "Submitted batch job 4711"
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Commands on the PATH; returns a function that replaces sbatch, or another one that is named."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def write(text: str, name: str = "sbatch") -> None:
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    for name in ("squeue", "scancel", "scontrol", "srun"):
        write("#!/bin/bash\n", name)
    write(SBATCH)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("RECORD", str(tmp_path / "script.sh"))
    return write


@pytest.mark.parametrize("case", CASES)
def test_the_submitted_script(stand_in: Callable[..., None], tmp_path: Path, case: str) -> None:
    threads, resources = CASES[case]
    backend = Slurm(requeues=10, signal_delay=120)
    folder = tmp_path / "submission"
    chosen = parameters("train-3", threads, resources)
    assert backend.submit(Payload("true", "/", 60), folder, chosen, resources) == "4711"
    script = (tmp_path / "script.sh").read_text().replace(str(folder), "FOLDER").replace(sys.executable, "PYTHON")
    assert script == (GOLDEN / f"{case}.sh").read_text()


def test_a_short_job_is_not_told_to_save_at_its_start(stand_in: Callable[..., None], tmp_path: Path) -> None:
    resources = {"runtime": 2}
    Slurm(10, 120).submit(Payload("true", "/", 60), tmp_path / "folder", parameters("job", 1, resources), resources)
    assert "#SBATCH --signal=USR2@60\n" in (tmp_path / "script.sh").read_text()


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"nodes": 2, "tasks": 3}, "tasks: 3 cannot be shared out evenly over 2 nodes"),
        ({"gpus": 1, "gres": "gpu:1"}, "gres: 'gpu:1' and gpus: 1 are both set"),
        ({"gpus": 1, "gpu": 2}, "gpus: 1 and gpu: 2 are both set"),
        ({"gpus": "many"}, "gpus: 'many' is not a whole number"),
        ({"gpus": -1}, "gpus: -1 is less than 0"),
        ({"runtime": 0}, "runtime: 0 is less than 1"),
        ({"slurm_extra": "-p gpu"}, "slurm_extra: '-p' is not of the form --key=value"),
        ({"slurm_extra": "--time=5"}, "slurm_extra: --time is set by the resource 'runtime'; use that"),
    ],
)
def test_a_contradiction_is_one_line(resources: dict, message: str) -> None:
    with pytest.raises(SubmissionError, match=re.escape(message)) as raised:
        parameters("job", 1, resources)
    assert "\n" not in str(raised.value)


def test_gpus_have_snakemakes_name_too() -> None:
    for asked in ({"gpus": 2}, {"gpu": 2}, {"gpu": 2, "gpus": 2}):
        assert parameters("job", 1, ResourceList(fromdict=asked))["gpus_per_node"] == 2
    assert "gpus_per_node" not in parameters("job", 1, ResourceList(fromdict={"gpus": 0}))


def test_what_sbatch_refuses_is_one_line(stand_in: Callable[..., None], tmp_path: Path) -> None:
    stand_in(
        "#!/bin/bash\necho 'sbatch: error: a hint' >&2\necho 'sbatch: error: Batch job submission failed: "
        "Invalid account or account/partition combination specified' >&2\nexit 1\n"
    )
    resources = {"slurm_account": "nobody"}
    expected = (
        "SLURM refused the job: Invalid account or account/partition combination specified "
        "(asked for: slurm_account=nobody)"
    )
    with pytest.raises(SubmissionError) as raised:
        Slurm(10, 120).submit(Payload("true", "/", 60), tmp_path / "folder", parameters("job", 1, resources), resources)
    assert str(raised.value) == expected


def test_a_submission_that_was_not_answered_is_cancelled_and_made_again(
    stand_in: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "PAUSES", (0, 0))
    folder, asked = tmp_path / "folder", tmp_path / "asked"
    timeout = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    stand_in(
        f"#!/bin/bash\nif [ -e {asked} ]; then echo 'Submitted batch job 8'; exit; fi\n"
        f"touch {asked}; echo '{timeout}' >&2; exit 1\n"
    )
    monkeypatch.setattr(backends.slurm, "POLL_SECONDS", 0.0)
    stand_in(
        f"#!/bin/bash\ncd {tmp_path}; [ -e ending ] && state=CANCELLED || state=RUNNING\n"
        f"[ -e cancelled ] && touch ending\n"
        f"echo '6|RUNNING|/other/submission_file_a.sh'; echo \"7|$state|{folder}/submission_file_b.sh\"\n",
        "squeue",
    )
    stand_in(f"#!/bin/bash\necho $@ > {tmp_path}/cancelled\n", "scancel")
    assert Slurm(10, 120).submit(Payload("true", "/", 60), folder, parameters("job", 1, {}), {}) == "8"
    assert (tmp_path / "cancelled").read_text() == "7\n"
    assert (tmp_path / "ending").exists(), "it is waited for"


def test_a_submission_that_goes_on_although_it_is_cancelled_is_not_made_again(
    stand_in: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "PAUSES", (0, 0))
    monkeypatch.setattr(backends.slurm, "SECONDS_TO_END", 0.0)
    folder = tmp_path / "folder"
    stand_in("#!/bin/bash\necho 'sbatch: error: Batch job submission failed: Socket timed out' >&2; exit 1\n")
    stand_in(f"#!/bin/bash\necho '7|RUNNING|{folder}/submission_file_b.sh'\n", "squeue")
    with pytest.raises(SubmissionError, match="job 7, which SLURM did not confirm, was cancelled but has not ended"):
        Slurm(10, 120).submit(Payload("true", "/", 60), folder, parameters("job", 1, {}), {})


def test_missing_commands_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SubmissionError, match="sbatch: no such command; start Snakemake where"):
        Slurm(10, 120)


def test_an_allocation_around_snakemake_is_not_inherited(
    stand_in: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in('#!/bin/bash\nenv > "$RECORD"\necho "Submitted batch job 1"\n')
    outer = {"SLURM_JOB_ID": "99", "SLURM_NTASKS": "7", "SLURM_CONF": "/own/slurm.conf"}
    for key, value in outer.items():
        monkeypatch.setenv(key, value)
    Slurm(10, 120).submit(Payload("true", "/", 60), tmp_path / "folder", parameters("job", 1, {}), {})
    seen = dict(line.split("=", 1) for line in (tmp_path / "script.sh").read_text().splitlines() if "=" in line)
    assert {key: seen.get(key) for key in outer} == {
        "SLURM_JOB_ID": None,
        "SLURM_NTASKS": None,
        "SLURM_CONF": "/own/slurm.conf",
    }
    assert os.environ["SLURM_NTASKS"] == "7"


def test_the_page_of_the_plugin_lists_every_option_and_resource() -> None:
    page = (Path(__file__).parents[1] / "docs/further.md").read_text()
    options = [f"| `--submitit-{option.name.replace('_', '-')}` |" for option in fields(ExecutorSettings)]
    assert [option for option in options if option not in page] == []
    assert [name for name in resources._MADE_BY_RESOURCES.values() if f"`{name}`" not in page] == []


def test_settings_are_in_the_help() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "snakemake", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in ("cluster", "folder", "signal-delay", "requeues"):
        assert f"--submitit-{option} " in shown
