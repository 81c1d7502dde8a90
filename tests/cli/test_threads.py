"""Every command sets the number of threads before a numerical library reads it."""

import json
import subprocess
import sys

import pytest
from support import ROOT

PROGRAM = """
import json, sys
from mast.cli import main
early = [name for name in ("numpy", "torch") if name in sys.modules]
try:
    main({arguments!r})
except SystemExit:
    pass
import numpy, threadpoolctl, torch
pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
print("\\n" + json.dumps([early, pools, torch.get_num_threads()]))
"""
COMMANDS = ("prepare", "pretrain", "features", "evaluate", "analyze", "embed")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("command", COMMANDS)
def test_threads_are_those_asked_for(command: str, threads: int) -> None:
    assert threads_of([command, "--threads", str(threads)]) == [[], {threads}, threads]


def test_without_the_option_there_is_one() -> None:
    assert threads_of(["validate", str(ROOT / "config/smoke.yaml")]) == [[], {1}, 1]


def threads_of(arguments: list[str]) -> list[object]:
    """Numerical libraries imported before the command line is read, threads of their pools, and of torch."""
    program = PROGRAM.format(arguments=arguments)
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    early, pools, of_torch = json.loads(printed.splitlines()[-1])
    return [early, set(pools), of_torch]
