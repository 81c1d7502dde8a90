"""On one machine, jobs run at the same time within its memory and GPUs; `--resources` sets other limits.

Executors that send jobs elsewhere know their own resources: nothing is limited for them.
"""

from mast.gpus import visible_gpus
from mast.machine import memory_mb


def share_out(resource, amount):
    """Limit the total request of jobs that run at the same time to this amount, which a single job may also request."""
    if resource not in workflow.global_resources:
        workflow.register_resource(resource, amount)


if workflow.is_main_process and workflow.global_resources["_nodes"].value is None:
    share_out("mem_mb", memory_mb())
    if visible_gpus():
        most = max(getattr(stage, "gpus", 0) for _, stage in experiment.resources)
        share_out("gpus", max(len(visible_gpus()), most))  # Snakemake would silently reduce a larger request
