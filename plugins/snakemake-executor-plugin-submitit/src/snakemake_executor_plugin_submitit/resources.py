"""Convert the resources of a Snakemake rule to submitit's parameters.

| resource | meaning | sbatch |
|---|---|---|
| `threads` (of the rule) | cores of each task | `--cpus-per-task` |
| `mem_mb` | memory of each node, MB | `--mem` |
| `runtime` | time limit, minutes | `--time` |
| `gpus`, or `gpu` | GPUs of each node | `--gpus-per-node` |
| `gres` | any other request for devices, instead of `gpus` | `--gres` |
| `nodes` | nodes (default 1) | `--nodes` |
| `tasks` | processes over all nodes (default: 1 on one node, else one for each GPU, at least one a node) | `--ntasks-per-node` |
| `slurm_partition`, `slurm_account`, `qos`, `constraint` | as SLURM calls them | the same |
| `slurm_extra` | more options, `--key=value` or `--flag`, separated by spaces | the same |
"""  # noqa: E501

import shlex
from collections.abc import Mapping
from typing import Any

from snakemake_executor_plugin_submitit.errors import SubmissionError

DEFAULT_MINUTES = 60
KILL_WITH_FIRST = "--kill-on-bad-exit=1"
"""Option of srun that ends the other tasks when one fails."""

_BY_OWN_NAME = {
    "slurm_partition": "slurm_partition",
    "slurm_account": "slurm_account",
    "qos": "slurm_qos",
    "constraint": "slurm_constraint",
    "gres": "slurm_gres",
}
_MADE_BY_RESOURCES = {
    "time": "runtime",
    "mem": "mem_mb",
    "nodes": "nodes",
    "ntasks": "tasks",
    "ntasks-per-node": "tasks",
    "cpus-per-task": "threads",
    "gpus-per-node": "gpus",
    "gpus": "gpus",
    "gres": "gres",
    "partition": "slurm_partition",
    "account": "slurm_account",
    "qos": "qos",
    "constraint": "constraint",
}


def parameters(name: str, threads: int, resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of `submitit.AutoExecutor` for one job.

    Args:
        name: name shown in the queue.
        threads: number of cores of each task.
        resources: the job's resources; those not in the table above are ignored.

    Raises:
        SubmissionError: a value is not a number, or two resources contradict each other.
    """
    nodes, gpus = _number(resources, "nodes", 1, least=1), _gpus(resources)
    tasks = _number(resources, "tasks", nodes * max(gpus, 1) if nodes > 1 else 1, least=1)
    if tasks % nodes:
        raise SubmissionError(f"tasks: {tasks} cannot be shared out evenly over {nodes} nodes; set a multiple of nodes")
    if gpus and resources.get("gres"):
        raise SubmissionError(f"gres: {resources['gres']!r} and gpus: {gpus} are both set; set one of them")
    chosen = {
        "name": name,
        "timeout_min": _number(resources, "runtime", DEFAULT_MINUTES, least=1),
        "nodes": nodes,
        "tasks_per_node": tasks // nodes,
        "cpus_per_task": threads,
        "stderr_to_stdout": True,
    }
    if gpus:
        chosen["gpus_per_node"] = gpus
    if resources.get("mem_mb"):
        chosen["slurm_mem"] = f"{_number(resources, 'mem_mb', 0)}M"
    chosen |= {ours: str(resources[key]) for key, ours in _BY_OWN_NAME.items() if resources.get(key)}
    if tasks > 1:
        chosen["slurm_srun_args"] = [KILL_WITH_FIRST]
    if extra := str(resources.get("slurm_extra") or ""):
        chosen["slurm_additional_parameters"] = _extra(extra)
    return chosen


def request(resources: Mapping[str, Any]) -> str:
    """Return the job's requests to SLURM in one line, for messages."""
    shown = ("slurm_partition", "slurm_account", "qos", "constraint", "nodes", "tasks", "gpus", "gpu", "gres")
    asked = [f"{key}={resources[key]}" for key in (*shown, "mem_mb", "runtime", "slurm_extra") if resources.get(key)]
    return ", ".join(asked)


def _gpus(resources: Mapping[str, Any]) -> int:
    """Return the number of GPUs, under either name: Snakemake's own is `gpu`."""
    named = [key for key in ("gpus", "gpu") if resources.get(key) is not None]  # Snakemake's own kind has no `in`
    numbers = {key: _number(resources, key, 0) for key in named}
    if len(set(numbers.values())) > 1:
        raise SubmissionError(f"gpus: {numbers['gpus']} and gpu: {numbers['gpu']} are both set; set one of them")
    return next(iter(numbers.values()), 0)


def _number(resources: Mapping[str, Any], key: str, default: int, least: int = 0) -> int:
    value = resources.get(key, default)
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise SubmissionError(f"{key}: {value!r} is not a whole number") from None
    if number < least:
        raise SubmissionError(f"{key}: {number} is less than {least}")
    return number


def _extra(text: str) -> dict[str, Any]:
    """Parse `--key=value --flag` as {"key": "value", "flag": True}."""
    options: dict[str, Any] = {}
    for word in shlex.split(text):
        key, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not key:
            raise SubmissionError(f"slurm_extra: {word!r} is not of the form --key=value or --flag")
        if key in _MADE_BY_RESOURCES:
            raise SubmissionError(f"slurm_extra: --{key} is set by the resource '{_MADE_BY_RESOURCES[key]}'; use that")
        options[key] = value if equals else True
    return options
