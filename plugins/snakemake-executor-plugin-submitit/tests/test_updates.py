"""Outputs flagged as `update` stay as they were when their job fails, is killed, or begins again."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.persistence import FileBackupMixin

from snakemake_executor_plugin_submitit.payload import Payload
from snakemake_executor_plugin_submitit.submission import Submission
from snakemake_executor_plugin_submitit.updates import backups, earlier_outputs, keep, unchanged


class Persistence(FileBackupMixin):
    """Snakemake's own way of copying outputs."""

    def __init__(self, path: Path) -> None:
        self.path = path


class File(str):
    def __new__(cls, path: str, **flags: bool) -> "File":
        file = super().__new__(cls, path)
        file.flags = flags
        return file


@pytest.fixture
def persistence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Persistence:
    monkeypatch.chdir(tmp_path)
    return Persistence(Path(".snakemake"))


def killed(paths: list[str], persistence: Persistence) -> None:
    """Create what a job leaves that was killed while it changed files."""
    for path in map(Path, paths):
        persistence.backup_output(path)
        changed = path / "part" if path.is_dir() else path
        changed.write_text("half done")


def test_only_files_that_are_updated_and_exist_are_of_before(persistence: Persistence) -> None:
    files = [File("a", update=True), File("b", update=True), File("c"), "d"]
    for name in "acd":
        Path(name).touch()
    job = SimpleNamespace(is_group=lambda: False, output=files)
    assert earlier_outputs(job) == ["a"]
    group = SimpleNamespace(is_group=lambda: True, jobs=[job, SimpleNamespace(output=[File("d", update=True)])])
    assert sorted(earlier_outputs(group)) == ["a", "d"]


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("folder", [False, True])
def test_a_requeued_job_begins_with_what_was_there_before_it(
    persistence: Persistence, tmp_path: Path, absolute: bool, folder: bool
) -> None:
    path = tmp_path / "out/model" if absolute else Path("out/model")
    file = path / "part" if folder else path
    file.parent.mkdir(parents=True)
    file.write_text("of before")
    payload = Payload("true", str(tmp_path), 60, backups([str(path)], persistence))
    payload._begin(tmp_path / "begun")
    killed([str(path)], persistence)
    payload.checkpoint().function._begin(tmp_path / "begun")
    assert file.read_text() == "of before"
    assert not list(Path(".snakemake/backups").rglob("model"))


def test_a_first_start_takes_no_copy_of_long_ago(persistence: Persistence, tmp_path: Path) -> None:
    Path("model").write_text("of long ago")
    persistence.backup_output(Path("model"))
    Path("model").write_text("of before")
    Payload("true", str(tmp_path), 60, backups(["model"], persistence))._begin(tmp_path / "begun")
    assert Path("model").read_text() == "of before"


def test_after_a_failure_the_main_process_finds_copies(persistence: Persistence, tmp_path: Path) -> None:
    failed = Submission(str(tmp_path), 1, {}, ["restored", "half-done"])
    for name in failed.earlier:
        Path(name).write_text("of before")
    killed(["half-done"], persistence)
    assert unchanged(failed, persistence) == ["restored"]
    assert keep([*unchanged(failed, persistence), "deleted"], persistence) == {}
    for name in failed.earlier:
        assert persistence.restore_output(Path(name))
        assert Path(name).read_text() == "of before"


def test_a_file_that_cannot_be_copied_is_named(persistence: Persistence) -> None:
    Path("model").touch()
    Path(".snakemake").write_text("in the way")
    (error,) = keep(["model"], persistence).values()
    assert isinstance(error, OSError)
