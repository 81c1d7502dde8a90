"""Files that a failed job leaves are not taken as its result."""

# `update` outputs are not deleted before their job runs, and put back if it fails. Snakemake (9.27) then takes them as
# results of the job, so they are marked as unfinished, and the next run makes them again.
LOGS = {}  # by path: jobs are exchanged for others when data have been prepared again


def last_logged(log):
    """Return the time of the last write to a log."""
    return Path(log).stat().st_mtime_ns if Path(log).exists() else None


onstart:
    LOGS.update((log, last_logged(log)) for job in workflow.dag.jobs for log in map(str, job.log))


onerror:
    for job in workflow.dag.needrun_jobs():
        if not workflow.dag.finished(job) and any(last_logged(log) != LOGS.get(log) for log in map(str, job.log)):
            job.register()
