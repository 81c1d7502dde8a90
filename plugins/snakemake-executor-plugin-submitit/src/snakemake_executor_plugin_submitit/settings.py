"""Options that the plugin adds to Snakemake's command line and profiles, as `--submitit-<name>`."""

from dataclasses import dataclass, field

from snakemake_interface_executor_plugins.settings import ExecutorSettingsBase

CLUSTERS = ("slurm", "local", "debug")


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """Settings of the submitit executor."""

    cluster: str = field(
        default="slurm",
        metadata={
            "help": "Where jobs run: `slurm`, `local` (processes on this machine) or `debug` (one after the other "
            "within Snakemake's own process).",
            "choices": list(CLUSTERS),
        },
    )
    folder: str = field(
        default=".snakemake/submitit",
        metadata={
            "help": "Directory of submissions and job logs, one folder each. All nodes must see it under this path."
        },
    )
    signal_delay: int = field(
        default=120,
        metadata={
            "help": "Seconds before its time limit at which a job is told to save its state (sbatch --signal); "
            "at most half of the limit."
        },
    )
    requeues: int = field(
        default=10,
        metadata={
            "help": "How many times a job that reached its time limit is requeued to go on. "
            "Preemptions count too in the last 10 minutes before the limit, or in its last fifth if that is longer."
        },
    )
