"""A cluster with accounting: ended jobs leave the queue within seconds, unknown accounts and qualities are refused."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm_lab.cluster import Cluster
from slurm_lab.waiting import wait_for
from slurm_lab.workflow import Run, Workflow

MakeWorkflow = Callable[[str], Workflow]
SLEEPERS = """
rule all:
    input: {files}
rule sleeper:
    output: "slept{{seconds}}.txt"
    resources: mem_mb=100, runtime=5, slurm_account="vision", qos="normal"
    shell: "echo $SLURM_JOB_ID >> started{{wildcards.seconds}}; sleep {{wildcards.seconds}}; touch {{output}}"
"""
REFUSED = {
    "slurm_account='nobody'": "Invalid account or account/partition combination specified (asked for: "
    "slurm_account=nobody",
    "qos='urgent'": "Invalid qos specification (asked for: qos=urgent",
}


@pytest.fixture
def workflow(tmp_path: Path, accounted_cluster: Cluster) -> MakeWorkflow:
    return lambda snakefile: Workflow(tmp_path, accounted_cluster, snakefile)


def test_the_end_of_a_job_that_the_queue_has_forgotten_is_told_by_accounting(workflow: MakeWorkflow) -> None:
    flow = workflow(SLEEPERS.format(files="'slept1.txt', 'slept100.txt'"))
    run = flow.start("--keep-going")
    short, long = _started(flow, run, "1", "100")
    run.process.send_signal(signal.SIGSTOP)
    flow.cluster.command("scancel", long)
    _wait_until_forgotten(flow, short, long)
    run.process.send_signal(signal.SIGCONT)
    assert run.wait() != 0
    assert f"Job {long}: SLURM ended the job: CANCELLED" in run.output
    assert f"Job {short}:" not in run.output
    assert (flow.directory / "slept1.txt").exists()


def test_jobs_that_end_while_nobody_watches_are_not_submitted_twice(workflow: MakeWorkflow) -> None:
    flow = workflow(SLEEPERS.format(files="'slept2.txt', 'slept3.txt'"))
    run = flow.start()
    jobs = _started(flow, run, "2", "3")
    run.process.kill()
    run.wait()
    _wait_until_forgotten(flow, *jobs)
    assert flow.run("--unlock")[0] == 0
    status, output = flow.run()
    assert status == 0, output
    assert "is submitted as" not in output
    assert tuple((flow.directory / f"started{seconds}").read_text().strip() for seconds in "23") == jobs
    (flow.directory / "slept2.txt").unlink()
    status, output = flow.run()
    assert status == 0, output
    assert output.count("is submitted as") == 1


def test_what_accounting_refuses_is_one_line_and_the_rest_goes_on(workflow: MakeWorkflow) -> None:
    refused = "".join(
        f"""
rule refused{number}:
    output: "refused{number}.txt"
    resources: mem_mb=100, runtime=5, {resource}
    shell: "touch {{output}}"
"""
        for number, resource in enumerate(REFUSED)
    )
    flow = workflow(SLEEPERS.format(files="'slept1.txt', 'refused0.txt', 'refused1.txt'") + refused)
    status, output = flow.run("--keep-going")
    assert status != 0
    for message in REFUSED.values():
        assert f"SLURM refused the job: {message}" in output
    assert "Traceback" not in output
    assert (flow.directory / "slept1.txt").exists()


def test_a_preemption_by_sigterm_requeues_too(workflow: MakeWorkflow) -> None:
    flow = workflow("""
rule all:
    output: "done.txt"
    resources: mem_mb=100, runtime=5, slurm_partition="preempt"
    shell: "if [ -e saved ]; then echo $SLURM_JOB_ID > {output}; else trap 'touch saved; exit 1' TERM; "
           "echo $SLURM_JOB_ID > started; while true; do sleep 0.1; done; fi"
""")
    run = flow.start()
    (job,) = _started(flow, run, "")
    flow.cluster.command("sbatch", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=true")
    assert run.wait() == 0, run.output
    assert (flow.directory / "done.txt").read_text() == f"{job}\n"


def _started(flow: Workflow, run: Run, *names: str) -> tuple[str, ...]:
    """Return the ids of jobs, as soon as the commands of all run."""
    files = [flow.directory / f"started{name}" for name in names]
    begun = lambda: all(file.exists() and file.read_text().endswith("\n") for file in files)  # noqa: E731
    wait_for(lambda: begun() or run.process.poll() is not None, 180, "the jobs' commands")
    assert run.process.poll() is None, run.output
    return tuple(file.read_text().strip() for file in files)


def _wait_until_forgotten(flow: Workflow, *jobs: str) -> None:
    wait_for(lambda: not flow.cluster.jobs().keys() & set(jobs), 120, "the queue to forget ended jobs")
