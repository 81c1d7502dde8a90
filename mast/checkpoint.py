"""Checkpoints of an unfinished training: atomic, the last two kept, tied to the training's identity."""

import logging
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch

from mast.errors import MastError
from mast.files import atomic_path

KEPT = 2

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one training, in one directory."""

    def __init__(self, directory: Path, identity: dict[str, Any]) -> None:
        """`identity` (spec, data, seed) must match for a checkpoint to be resumed from."""
        self.directory = directory
        self.identity = identity

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step` steps and delete all but the last two checkpoints.

        Raises:
            MastError: it could not be written, e.g. for want of room; older checkpoints are as they were.
        """
        path = self.directory / f"step{step:09d}.pt"
        try:
            with atomic_path(path) as temporary:
                torch.save({"identity": self.identity, "step": step, **state}, temporary)
        except RuntimeError as error:  # torch's writer reports a full disk so, and in words of its own
            reason = str(error).splitlines()[0]
            raise MastError(f"{path}: cannot be written ({reason}); check disk space, then run again") from None
        for old in self._newest_first()[KEPT:]:
            old.unlink()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The newest readable checkpoint of this training, or None; damaged and foreign ones are passed over."""
        found = self._newest(device)
        return None if found is None else found[1]

    def newest(self) -> Path | None:
        """The file that `load` would read."""
        found = self._newest(torch.device("cpu"))
        return None if found is None else found[0]

    def _newest(self, device: torch.device) -> tuple[Path, dict[str, Any]] | None:
        for path in self._newest_first():
            try:
                _check_sums(path)
                state = torch.load(path, map_location=device, weights_only=True)
            except Exception as error:  # torch.load has no exception type of its own for a damaged file
                log.warning("%s: damaged (%s); trying the checkpoint before it", path, str(error).splitlines()[0])
                continue
            if state["identity"] == self.identity:
                return path, state
            log.warning("%s: belongs to other settings or data; ignored", path)
        return None

    def clear(self) -> None:
        """Delete all checkpoints, and what a killed process left of one."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self.directory.glob("step*.pt"), reverse=True)


def _check_sums(path: Path) -> None:
    """Compare what the archive holds with its checksums: torch.load does not."""
    with zipfile.ZipFile(path) as archive:
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"{damaged} does not match its checksum")
