"""Memory is that of the container, if it has less than its machine."""

from pathlib import Path

import psutil
import pytest

from mast import machine


@pytest.mark.parametrize(
    ("limit", "expected"), [("1500000000\n", 1500), ("max\n", None), (f"{10**15}\n", None), (None, None)]
)
def test_memory(limit: str | None, expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "memory.max"
    if limit is not None:
        file.write_text(limit)
    monkeypatch.setattr(machine, "CONTAINER_LIMIT", file)
    assert machine.memory_mb() == (psutil.virtual_memory().total // 10**6 if expected is None else expected)
