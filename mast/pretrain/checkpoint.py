"""Checkpoints of an unfinished run: atomic, the last two kept, tied to the run's identity."""

import logging
import shutil
from pathlib import Path
from typing import Any

import torch

from mast.files import atomic_path

KEPT = 2

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run, in one directory."""

    def __init__(self, directory: Path, identity: dict[str, Any]) -> None:
        """`identity` (spec, data, seed) must match for a checkpoint to be resumed from."""
        self.directory = directory
        self.identity = identity

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step` steps and delete all but the last two checkpoints."""
        with atomic_path(self.directory / f"step{step:09d}.pt") as temporary:
            torch.save({"identity": self.identity, "step": step, **state}, temporary)
        for old in self._newest_first()[KEPT:]:
            old.unlink()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The newest readable checkpoint of this run, or None; damaged and foreign ones are passed over."""
        for path in self._newest_first():
            try:
                state = torch.load(path, map_location=device, weights_only=True)
            except Exception as error:  # torch.load has no exception type of its own for a damaged file
                log.warning("%s: damaged (%s); trying the checkpoint before it", path, str(error).splitlines()[0])
                continue
            if state["identity"] == self.identity:
                return state
            log.warning("%s: belongs to other settings or data; ignored", path)
        return None

    def clear(self) -> None:
        """Delete all checkpoints, and what a killed process left of one."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self.directory.glob("step*.pt"), reverse=True)
