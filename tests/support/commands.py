"""Run the commands of a planned workflow in this process, so that torch is imported once and not for each job."""

import re
import shlex

from mast.cli import main

_COMMAND = re.compile(
    r"^Shell command: (?:printf %s (?P<spec>.*) \| )?(?:mast|\S+ -m mast\.cli) (?P<command>.*?) > \S+ 2>&1$",
    flags=re.MULTILINE,
)


def commands_of(plan: str) -> list[str]:
    """Return what follows `mast` in each job's command, in the order in which the jobs may run.

    What a job gets on standard input, `--spec -`, stands in its command.

    Args:
        plan: the output of a dry run with `--printshellcmds`.
    """
    return [
        found["command"].replace("--spec - ", f"--spec {found['spec']} ") if found["spec"] else found["command"]
        for found in _COMMAND.finditer(plan)
    ]


def run_commands(plan: str) -> None:
    """Run them in the current directory; each must end well."""
    for command in commands_of(plan):
        assert main(shlex.split(command)) == 0, command
