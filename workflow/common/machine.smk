"""On one machine, jobs run side by side as far as its memory and GPUs go; `--resources` sets other limits.

Executors that send jobs elsewhere know better what there is: nothing is limited for them.
"""

from mast.gpus import visible_gpus
from mast.machine import memory_mb


def share_out(resource, amount):
    """Let jobs that run at the same time ask for no more than this together; one alone may ask for as much."""
    if resource not in workflow.global_resources:
        workflow.register_resource(resource, amount)


if workflow.is_main_process and workflow.global_resources["_nodes"].value is None:
    share_out("mem_mb", memory_mb())
    if visible_gpus():
        most = max(getattr(stage, "gpus", 0) for _, stage in experiment.resources)
        share_out("gpus", max(len(visible_gpus()), most))  # Snakemake would cut a larger request down, unseen
