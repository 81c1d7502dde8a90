"""Run the commands of a planned workflow in this process, so that torch is imported once and not for each job."""

import re
import shlex

from mast.cli import main

_COMMAND = re.compile(r"^Shell command: (?:mast|\S+ -m mast\.cli) (.*?) > \S+ 2>&1$", flags=re.MULTILINE)


def commands_of(plan: str) -> list[str]:
    """Return what follows `mast` in each job's command, in the order in which the jobs may run.

    Args:
        plan: the output of a dry run with `--printshellcmds`.
    """
    return _COMMAND.findall(plan)


def run_commands(plan: str) -> None:
    """Run them in the current directory; each must end well."""
    for command in commands_of(plan):
        assert main(shlex.split(command)) == 0, command
