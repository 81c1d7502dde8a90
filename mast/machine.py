"""Resources of the machine."""

import os
from pathlib import Path

CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_mb() -> int:
    """Return the memory of this machine, or of the container around this process, in MB."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = CONTAINER_LIMIT.read_text().strip() if CONTAINER_LIMIT.exists() else ""
    return min(physical, int(limit) if limit.isdigit() else physical) // 10**6
