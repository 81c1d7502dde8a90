"""What a failed job leaves behind is not taken for its result."""

# Outputs that are `update` are not deleted before their job runs, and put back if it fails. Snakemake (9.27) then takes
# them to be what the job has made; so they are marked as unfinished, and made again by the next run.
LOGS = {}  # by path: jobs are exchanged for others when data have been prepared again


def last_logged(log):
    """When a log was written last."""
    return Path(log).stat().st_mtime_ns if Path(log).exists() else None


onstart:
    LOGS.update((log, last_logged(log)) for job in workflow.dag.jobs for log in map(str, job.log))


onerror:
    for job in workflow.dag.needrun_jobs():
        if not workflow.dag.finished(job) and any(last_logged(log) != LOGS.get(log) for log in map(str, job.log)):
            job.register()
