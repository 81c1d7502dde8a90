"""Small workflows on a real cluster: success, failure, cancelling, crashes of the main process, bad requests."""

import signal
from collections.abc import Callable
from pathlib import Path

from slurm_lab.cluster import KILL_WAIT, Cluster
from slurm_lab.waiting import on_this_machine, wait_for
from slurm_lab.workflow import Workflow

MakeWorkflow = Callable[[str], Workflow]

HEAD = """
rule all:
    input: {files}
"""
SLEEPER = """
rule sleeper:
    output: "slept{i}.txt"
    resources: mem_mb=100, runtime=5
    shell: "echo started >> started{wildcards.i}; sleep {config[seconds]}; echo $SLURM_JOB_ID > {output}"
"""


def test_jobs_run_on_both_nodes_in_groups_and_locally(workflow: MakeWorkflow) -> None:
    flow = workflow(
        HEAD.format(files="'a100.txt', 'v100.txt', 'last.txt', 'here.txt'")
        + """
rule on_node:
    output: "{feature}.txt"
    resources: mem_mb=100, runtime=5, constraint=lambda wildcards: wildcards.feature
    threads: 2
    wildcard_constraints: feature="[av]100"
    shell: "echo $SLURMD_NODENAME $SLURM_CPUS_PER_TASK $SLURM_CONF > {output}"
rule first:
    output: "first.txt"
    group: "both"
    resources: mem_mb=100, runtime=5, gpus=1
    shell: "echo $SLURM_JOB_ID $CUDA_VISIBLE_DEVICES > {output}"
rule last:
    input: "first.txt"
    output: "last.txt"
    group: "both"
    resources: mem_mb=100, runtime=5, gpus=1
    shell: "cp {input} {output}; echo $SLURM_JOB_ID >> {output}"
rule here:
    output: "here.txt"
    localrule: True
    shell: "echo job ${{SLURM_JOB_ID:-none}} > {output}"
"""
    )
    status, output = flow.run("--jobs", "3")
    assert status == 0, output
    conf = flow.cluster.environment["SLURM_CONF"]
    assert conf != "/etc/slurm/slurm.conf"
    assert (flow.directory / "a100.txt").read_text().split() == ["node1", "2", conf]
    assert (flow.directory / "v100.txt").read_text().split() == ["node2", "2", conf]
    first_job, device, last_job = (flow.directory / "last.txt").read_text().split()
    assert first_job == last_job
    assert device in ("0", "1")
    assert (flow.directory / "here.txt").read_text() == "job none\n"


def test_a_failing_job_names_its_log_and_the_rest_is_finished(workflow: MakeWorkflow) -> None:
    flow = workflow(
        HEAD.format(files="'bad.txt', 'good.txt'")
        + """
rule bad:
    output: update("bad.txt")
    log: "bad.log"
    resources: mem_mb=100, runtime=5
    shell: "echo half done > {output}; python -c 'raise ValueError(41 + 1)' > {log} 2>&1"
rule good:
    output: "good.txt"
    resources: mem_mb=100, runtime=5
    shell: "sleep 2; touch {output}"
"""
    )
    (flow.directory / "bad.txt").write_text("of before\n")
    status, output = flow.run("--keep-going", "--forceall")
    assert status != 0
    assert (flow.directory / "good.txt").exists()
    assert (flow.directory / "bad.txt").read_text() == "of before\n"
    assert "bad.log" in output
    assert "ValueError: 42" in (flow.directory / "bad.log").read_text()
    submitted = [word for word in output.split() if word.endswith("_0_log.out")]
    assert any(Path(log).exists() and "rule bad" in Path(log).read_text() for log in submitted)


def test_interrupt_empties_the_queue(workflow: MakeWorkflow) -> None:
    flow = workflow(HEAD.format(files="expand('slept{i}.txt', i=range(6))") + SLEEPER)
    run = flow.start("--config", "seconds=100")
    wait_for(lambda: len(flow.cluster.active()) == 6, 180, "six jobs")
    run.process.send_signal(signal.SIGINT)
    wait_for(lambda: not flow.cluster.active(), on_this_machine(KILL_WAIT + 5), "an empty queue")
    assert run.wait() != 0


def test_a_job_cancelled_from_outside_is_an_error_within_two_polls(workflow: MakeWorkflow) -> None:
    flow = workflow(HEAD.format(files="'slept0.txt'") + SLEEPER)
    run = flow.start("--config", "seconds=100")
    (job,) = flow.cluster.wait_until_running()
    wait_for(lambda: (flow.directory / "started0").exists(), 180, "the job's command")
    flow.cluster.command("scancel", job)
    wait_for(lambda: flow.cluster.jobs()[job] == "CANCELLED", 120, "SLURM to cancel the job")
    message = f"Job {job}: SLURM ended the job: CANCELLED"
    wait_for(lambda: message in run.output, on_this_machine(2 * 1 + 2), "two polls of a second each, and some air")
    assert run.wait() != 0


WAITER = """
rule waiter:
    output: "waited{i}.txt"
    resources: mem_mb=100, runtime=10
    shell: "touch {output}; echo started >> started{wildcards.i}; until [ -e go{config[go]} ]; do sleep 0.2; done; "
           "echo $SLURM_JOB_ID > {output}"
"""


def test_after_a_kill_the_same_jobs_are_attached_to_and_others_ended(workflow: MakeWorkflow) -> None:
    """Both jobs have begun to write; then a setting of all changes, and no job runs beside one with the same output."""
    flow = workflow(HEAD.format(files="'waited0.txt', 'waited1.txt'") + WAITER)
    run = flow.start("--config", "go=1")
    wait_for(lambda: all((flow.directory / f"started{i}").exists() for i in range(2)), 180, "both jobs' commands")
    before = set(flow.cluster.active())
    run.process.kill()
    run.wait()
    assert flow.run("--unlock", "--config", "go=1")[0] == 0
    again = flow.start("--config", "go=1")
    wait_for(lambda: again.output.count("is attached to") == 2, 180, "both jobs to be attached to")
    assert "is submitted as" not in again.output
    again.process.kill()
    again.wait()
    assert set(flow.cluster.active()) == before

    assert flow.run("--unlock", "--config", "go=2")[0] == 0
    changed = flow.start("--config", "go=2")
    wait_for(lambda: changed.output.count("is submitted as") == 2, 180, "both jobs to be submitted anew")
    assert changed.output.count("of an earlier run is cancelled: it makes") == 2
    assert {flow.cluster.jobs()[job] for job in before} == {"CANCELLED"}
    (flow.directory / "go2").touch()
    assert changed.wait() == 0, changed.output
    assert all((flow.directory / f"started{i}").read_text() == "started\nstarted\n" for i in range(2))
    assert {(flow.directory / f"waited{i}.txt").read_text().strip() for i in range(2)}.isdisjoint(before)


def test_a_recreated_cluster_with_the_same_ids_gives_no_stale_success(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    snakefile = HEAD.format(files="'slept0.txt'") + SLEEPER
    first = Workflow(tmp_path, make_cluster(), snakefile)
    assert first.run("--config", "seconds=0")[0] == 0
    first.cluster.stop()
    job = (tmp_path / "slept0.txt").read_text()
    (tmp_path / "slept0.txt").unlink()
    (tmp_path / "started0").unlink()
    second = Workflow(tmp_path, make_cluster(), snakefile)
    status, output = second.run("--config", "seconds=0")
    assert status == 0, output
    assert (tmp_path / "slept0.txt").read_text() == job
    assert (tmp_path / "started0").exists()


REFUSED = {
    "slurm_partition='nowhere'": "Invalid partition name specified (asked for: slurm_partition=nowhere",
    "constraint='h100'": "Invalid feature specification (asked for: constraint=h100",
    "gpus=3": "Requested node configuration is not available (asked for: gpus=3",
}


def test_what_slurm_refuses_is_one_line_and_the_rest_goes_on(workflow: MakeWorkflow) -> None:
    refused = "".join(
        f"""
rule refused{number}:
    output: "refused{number}.txt"
    resources: mem_mb=100, runtime=5, {resource}
    shell: "touch {{output}}"
"""
        for number, resource in enumerate(REFUSED)
    )
    flow = workflow(
        HEAD.format(files="'slept0.txt', 'refused0.txt', 'refused1.txt', 'refused2.txt'") + SLEEPER + refused
    )
    status, output = flow.run("--keep-going", "--config", "seconds=1")
    assert status != 0
    for message in REFUSED.values():
        assert f"SLURM refused the job: {message}" in output
    assert "Traceback" not in output
    assert (flow.directory / "slept0.txt").exists()


def test_a_folder_that_the_nodes_do_not_see_is_named(workflow: MakeWorkflow) -> None:
    flow = workflow(
        """
rule all:
    output: "out.txt"
    resources: mem_mb=100, runtime=5, slurm_extra="--hold"
    shell: "touch {output}"
"""
    )
    run = flow.start()
    wait_for(lambda: "is submitted as" in run.output, 180, "the job")
    (job,) = flow.cluster.active()
    (folder,) = (flow.directory / ".snakemake/submitit").glob("all-*")
    folder.rename(flow.directory / "elsewhere")
    flow.cluster.command("scontrol", "release", job)
    assert run.wait() != 0
    message = f"Job {job}: the job left no result; its last state is FAILED; no log either: do all nodes see {folder}?"
    assert message in run.output
    assert "Traceback" not in run.output


def test_a_job_is_requeued_as_often_as_allowed(workflow: MakeWorkflow) -> None:
    flow = workflow(
        """
rule all:
    output: "out.txt"
    resources: mem_mb=100, runtime=5
    shell: "echo started >> started; sleep 300; touch {output}"
"""
    )
    run = flow.start("--submitit-requeues", "1")
    started = flow.directory / "started"
    wait_for(lambda: started.exists(), 180, "the job's command")
    (job,) = flow.cluster.active()
    flow.cluster.command("scancel", "--signal=USR2", job)
    wait_for(lambda: started.read_text() == "started\nstarted\n", 180, "the command again")
    flow.cluster.command("scancel", "--signal=USR2", job)
    assert run.wait() != 0
    assert f"Job {job}: the job reached its time limit once more than --submitit-requeues allows" in run.output
