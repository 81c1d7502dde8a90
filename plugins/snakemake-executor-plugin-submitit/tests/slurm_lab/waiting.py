"""Helpers that wait for other processes, and find ports for them."""

import os
import random
import socket
import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return as soon as the condition holds. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.1)


def on_this_machine(seconds: float) -> float:
    """Return how long something may take on this machine that takes at most `seconds` on an idle one."""
    return seconds * (1 + os.getloadavg()[0] / os.cpu_count())


def free_ports(count: int) -> list[int]:
    """Return different free ports, below those that the kernel gives to outgoing connections."""
    return [port for port in random.sample(range(10000, 32000), 100) if not answers(port)][:count]


def answers(port: int) -> bool:
    """Return whether something listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
