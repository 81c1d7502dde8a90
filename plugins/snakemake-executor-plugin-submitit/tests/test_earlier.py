"""Jobs of a killed main process: each is continued, or ended before its files are made anew."""

import logging
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from snakemake_executor_plugin_submitit import earlier as module
from snakemake_executor_plugin_submitit.earlier import Earlier
from snakemake_executor_plugin_submitit.errors import SubmissionError
from snakemake_executor_plugin_submitit.identity import works
from snakemake_executor_plugin_submitit.slurm import QueuedJob, QueueUnavailableError
from snakemake_executor_plugin_submitit.submission import Registry, Submission


class Rule(NamedTuple):
    name: str


class Job:
    def __init__(self, output: str = "model", lr: object = 0.1, inputs: str = "", rule: str = "train") -> None:
        self.rule, self.input, self.output = Rule(rule), inputs.split(), output.split()
        self.params, self.shellcmd = {"lr": lr}, f"train --lr {lr}"

    def is_group(self) -> bool:
        return False


class Group:
    def __init__(self, *jobs: Job) -> None:
        self.jobs = jobs
        self.output = [file for job in jobs for file in job.output]
        self.input = [file for job in jobs for file in job.input if file not in self.output]

    def is_group(self) -> bool:
        return True


class Backend:
    """A queue of running jobs; a cancelled job ends one query after the next."""

    def __init__(self) -> None:
        self.running: dict[str, QueuedJob] = {}
        self.cancelled: list[str] = []
        self.looks, self.immortal, self.answers = 0, False, True

    def queue(self) -> dict[str, QueuedJob]:
        if not self.answers:
            raise QueueUnavailableError("no contact")
        self.looks += 1
        before = dict(self.running)
        if not self.immortal:
            for job in self.cancelled:
                self.running.pop(job, None)
        return before

    def cancel(self, submissions: list[Submission]) -> None:
        self.cancelled += [submission.job_id for submission in submissions]


class Scene:
    def __init__(self, directory: Path) -> None:
        self.directory, self.backend, self.registry = directory, Backend(), Registry(directory / "open")
        self.reason = SimpleNamespace(missing_output=set(), forced=False)
        self.dag = SimpleNamespace(forcerules=set(), targetfiles=set(), reason=lambda _: self.reason)
        self.settings = SimpleNamespace(forcerun=set(), forcetargets=False)

    def left(
        self, job: Job | Group, job_id: str = "7", recorded: str | None = None, running: bool = True
    ) -> Submission:
        """Create what a main process leaves that was killed after it had submitted a job."""
        folder = self.directory / f"train-{job_id}"
        self.registry.add(Submission(str(folder), 1, works(job), job_id=job_id if recorded is None else recorded))
        if running:
            self.backend.running[job_id] = QueuedJob("RUNNING", f"{folder}/submission_file_1.sh")
        folder.mkdir()
        return self.registry.load()[0][-1]

    def restart(self) -> Earlier:
        workflow = SimpleNamespace(dag=self.dag, dag_settings=self.settings)
        return Earlier(self.registry, self.backend, workflow, logging.getLogger("test"))

    @property
    def recorded(self) -> int:
        return len(self.registry.load()[0])


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    return Scene(tmp_path)


def test_a_running_job_that_does_the_same_is_gone_on_with(scene: Scene) -> None:
    left = scene.left(Job())
    job = Job()
    assert scene.restart().claim([job]) == {job: left}
    assert scene.backend.cancelled == []
    assert scene.recorded == 1


CHANGED: dict[str, Callable[[], Job]] = {
    "another setting": lambda: Job(lr=0.2),
    "another rule": lambda: Job(rule="copy"),
    "other inputs": lambda: Job(inputs="data"),
    "one file of several": lambda: Job(output="model log"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_running_job_that_makes_the_same_files_in_another_way_is_ended_first(scene: Scene, change: str) -> None:
    scene.left(Job())
    assert scene.restart().claim([CHANGED[change]()]) == {}
    assert scene.backend.cancelled == ["7"]
    assert scene.backend.running == {}, "it is waited for"
    assert scene.recorded == 0


def test_a_job_that_does_not_end_stands_in_the_way_of_its_files_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_END", 0.05)
    scene.left(Job())
    scene.backend.immortal = True
    changed, other = Job(lr=0.2), Job(output="other")
    claims = scene.restart().claim([changed, other])
    assert list(claims) == [changed]
    assert isinstance(claims[changed], SubmissionError)
    assert str(claims[changed]).startswith(f"job 7 of an earlier run still makes {scene.directory}/model, and has not")
    assert scene.recorded == 1, "it is still known at the next start"


def test_while_the_queue_does_not_answer_only_jobs_without_predecessors_are_submitted(scene: Scene) -> None:
    scene.left(Job())
    scene.backend.answers = False
    same, other = Job(), Job(output="other")
    claims = scene.restart().claim([same, other])
    assert list(claims) == [same]
    assert "SLURM does not answer: no contact" in str(claims[same])


def test_a_job_whose_id_was_never_heard_is_found_by_its_folder_and_ended(scene: Scene) -> None:
    left = scene.left(Job(), recorded="")
    first_try = QueuedJob("CANCELLED", f"{left.folder}/submission_file_0.sh")
    scene.backend.running = {"6": first_try} | scene.backend.running
    assert scene.restart().claim([Job()]) == {}
    assert scene.backend.cancelled == ["7"]
    assert scene.backend.running == {"6": first_try}


def test_a_job_with_the_same_id_on_a_rebuilt_cluster_is_left_alone(scene: Scene) -> None:
    scene.left(Job(lr=0.2), running=False)
    scene.backend.running["7"] = QueuedJob("RUNNING", "/elsewhere/submission_file_1.sh")
    assert scene.restart().claim([Job()]) == {}
    assert scene.backend.cancelled == []
    assert "7" in scene.backend.running


def test_inputs_that_are_newer_than_a_submission_end_it(scene: Scene) -> None:
    Path("data").touch()
    left, job = scene.left(Job(inputs="data")), Job(inputs="data")
    assert scene.restart().claim([job]) == {job: left}
    os.utime("data", (time.time() + 100,) * 2)
    assert scene.restart().claim([job]) == {}
    assert scene.backend.cancelled == ["7"]


def test_incomplete_outputs_do_not_end_a_job_and_a_user_who_forces_it_does(scene: Scene) -> None:
    """Snakemake's --rerun-incomplete forces jobs that have begun to write, as a training does."""
    job = Job()
    left = scene.left(job)
    scene.dag.forcefiles = {"model"}
    assert scene.restart().claim([job]) == {job: left}
    scene.dag.targetfiles = {"model"}
    assert scene.restart().claim([job]) == {job: left}
    scene.settings.forcetargets = True
    assert scene.restart().claim([job]) == {}


@pytest.mark.parametrize("forced", ["model", "train"])
def test_forcerun_ends_a_job(scene: Scene, forced: str) -> None:
    job = Job()
    scene.left(job)
    scene.settings.forcerun = {forced}
    scene.dag.forcerules = {job.rule} if forced == "train" else set()
    assert scene.restart().claim([job]) == {}
    assert scene.backend.cancelled == ["7"]


def test_what_is_left_to_do_of_a_group_is_gone_on_with(scene: Scene) -> None:
    first, last = Job(output="a", inputs="data"), Job(output="b", inputs="a")
    left = scene.left(Group(first, last))
    Path("a").touch()
    os.utime("a", (time.time() + 100,) * 2)
    assert scene.restart().claim([last]) == {last: left}
    assert scene.restart().claim([first, last]) == {first: left, last: left}
    assert scene.backend.cancelled == []


def test_a_job_of_a_group_that_has_changed_ends_the_whole_group(scene: Scene) -> None:
    scene.left(Group(Job(output="a"), Job(output="b", inputs="a")))
    assert scene.restart().claim([Job(output="b", inputs="a", lr=0.2)]) == {}
    assert scene.backend.cancelled == ["7"]


def test_a_job_that_goes_on_is_not_kept_if_another_one_of_its_group_has_changed(scene: Scene) -> None:
    same = Job(output="a")
    scene.left(Group(Job(output="a"), Job(output="b")))
    assert scene.restart().claim([same, Job(output="b", lr=0.2)]) == {}
    assert scene.backend.cancelled == ["7"]


@pytest.mark.parametrize(
    ("reason", "taken"),
    [({"missing_output": {"model"}}, True), ({"forced": True}, True), ({"code_changed": True}, False)],
)
def test_a_job_that_has_ended_is_taken_over_if_its_outputs_were_not_there_when_snakemake_looked(
    scene: Scene, reason: dict[str, object], taken: bool
) -> None:
    """`forced` is what Snakemake says of incomplete outputs."""
    left, job = scene.left(Job(), running=False), Job()
    Path("model").touch()
    (Path(left.folder) / "7_0_result.pkl").write_bytes(pickle.dumps(("success", None)))
    vars(scene.reason).update(reason)
    assert scene.restart().claim([job]) == ({job: left} if taken else {})
    os.utime("model", (time.time() + 100,) * 2)
    assert scene.restart().claim([job]) == {}, "somebody else has changed it"


def test_the_same_workflow_in_another_directory_is_another_one(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.left(Job())
    (scene.directory / "other").mkdir()
    monkeypatch.chdir(scene.directory / "other")
    assert scene.restart().claim([Job()]) == {}
    assert scene.backend.cancelled == []


def test_a_damaged_record_is_named_and_forgotten(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    path = scene.directory / "open/train-7.json"
    path.write_text("")
    assert scene.restart().claim([Job()]) == {}
    assert f"{path} cannot be read" in caplog.text
    assert not path.exists()


class Opaque:
    """Its default text contains its address, which differs in every process."""


@pytest.mark.parametrize("value", [{"a", "b", "c", "d"}, Opaque()])
def test_the_identity_of_a_job_is_the_same_in_every_process(scene: Scene, value: object) -> None:
    first, again = Job(), Job()
    first.params, again.params = {"x": value}, {"x": Opaque() if isinstance(value, Opaque) else {*"dcba"}}
    assert works(first) == works(again)


def test_jobs_without_outputs_are_known_by_their_rule(scene: Scene) -> None:
    left, job = scene.left(Job(output="")), Job(output="")
    assert scene.restart().claim([job]) == {job: left}
    assert scene.restart().claim([Job(output="", rule="other")]) == {}
    assert scene.backend.cancelled == []
