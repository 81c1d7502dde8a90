"""`python -m snakemake_executor_plugin_submitit.launch <command>`: run a rule's command in every task of its job.

It is written before the command in a rule's shell. In a job of several tasks every task runs the command, with RANK,
WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT set for torch.distributed. Anywhere else only the command runs.
"""

import contextlib
import json
import os
import random
import socket
import sys
from pathlib import Path

from snakemake_executor_plugin_submitit.payload import LAUNCH_FILE


def main(command: list[str]) -> None:
    """Send the command to the other tasks, then become the command."""
    path = os.environ.pop(LAUNCH_FILE, None)
    if path is not None:
        rendezvous = {"MASTER_ADDR": socket.gethostname(), "MASTER_PORT": str(_free_port())}
        launched = {"command": command, "directory": str(Path.cwd()), "rendezvous": rendezvous}
        partial = Path(f"{path}.part")
        partial.write_text(json.dumps(launched), encoding="utf-8")
        partial.rename(path)
        os.environ.update(rendezvous)
    os.execvp(command[0], command)


def _free_port() -> int:
    """Return a free port below those of outgoing connections, one of which might take it first."""
    for port in random.sample(range(10000, 32000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port
    raise RuntimeError("no port is free between 10000 and 32000")


if __name__ == "__main__":
    main(sys.argv[1:])
