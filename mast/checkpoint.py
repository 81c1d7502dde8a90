"""Checkpoints of an unfinished training run: atomic, the last two kept, matched to the run by its identity."""

import logging
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from mast.errors import MastError
from mast.files import atomic_path, sha256_json

KEPT = 2

_NAME = re.compile(r"step(\d+)(-[0-9a-f]+)?\.pt")

FOREIGN = "not written here"
"""Identity of a whole file that states none, such as a checkpoint of another program."""

log = logging.getLogger(__name__)


class Checkpoints:
    """Checkpoints of one training run, in a directory that may also hold those of other settings, data or seeds.

    The identity stored in a file shows which run it belongs to. Files of other runs are not counted, replaced or
    deleted.
    """

    def __init__(self, directory: Path, identity: dict[str, Any]) -> None:
        """Remember where checkpoints are, and the `identity` (spec, data, seed; plain JSON values) that they must
        match.
        """
        self.directory = directory
        self.identity = identity
        self._damaged: set[Path] = set()
        self._known: dict[tuple[Path, int, int], Any] = {}
        self._others_are_named = False

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step` steps and delete all but the last two checkpoints of this run.

        Raises:
            MastError: it could not be written, e.g. because the disk is full; older checkpoints are left as they were.
        """
        path = self._path(step)
        try:
            with atomic_path(path) as temporary:
                torch.save({"identity": self.identity, "step": step, **state}, temporary)
        except RuntimeError as error:  # torch's writer reports a full disk this way, in its own words
            reason = str(error).splitlines()[0]
            raise MastError(f"{path}: cannot be written ({reason}); check disk space, then run again") from None
        self._damaged.discard(path)
        others = [old for old in self._own() if old != path]
        kept = [old for old in others if old not in self._damaged][: KEPT - 1]
        for old in others:
            if old not in kept:
                old.unlink()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the newest readable checkpoint of this run, or None. Damaged and foreign files are skipped."""
        found = self._newest(device)
        return None if found is None else found[1]

    def newest(self) -> Path | None:
        """Return the file that `load` would read."""
        found = self._newest(torch.device("cpu"))
        return None if found is None else found[0]

    def clear(self) -> None:
        """Delete this run's checkpoints, unreadable ones, and temporary files that a killed process left.

        Checkpoints of other runs stay, and one log line names them.
        """
        others = self._others()
        for path in set(self._files()) - set(others):
            path.unlink()
        for left in self.directory.glob(".step*.tmp.pt"):
            left.unlink(missing_ok=True)
        if others:
            log.warning("%s; delete what is not needed", self._named(others))
        elif self.directory.is_dir() and not any(self.directory.iterdir()):
            self.directory.rmdir()

    def _newest(self, device: torch.device) -> tuple[Path, dict[str, Any]] | None:
        others = self._others()
        if others and not self._others_are_named:
            log.warning("%s, not taken over", self._named(others))
            self._others_are_named = True
        for path in (path for path in self._files() if path not in others):
            try:
                _check_sums(path)
                state = torch.load(path, map_location=device, weights_only=True)
            except Exception as error:  # torch.load has no exception type of its own for a damaged file
                log.warning("%s: damaged (%s); trying the checkpoint before it", path, str(error).splitlines()[0])
                self._damaged.add(path)
                continue
            if state["identity"] == self.identity:
                return path, state
        return None

    def _path(self, step: int) -> Path:
        """Return the path to write: `step<number>.pt`, or a name with a hash if another run has that name."""
        path = self.directory / f"step{step:09d}.pt"
        if path.exists() and path not in {*self._own(), *self._damaged}:
            return path.with_name(f"{path.stem}-{sha256_json(self.identity)[:12]}.pt")
        return path

    def _own(self) -> list[Path]:
        return [path for path in self._files() if self._identity(path) == self.identity]

    def _others(self) -> list[Path]:
        return [path for path in self._files() if self._identity(path) not in (self.identity, None)]

    def _files(self) -> list[Path]:
        """Return all checkpoints in the directory, most steps first."""
        found = {path: _NAME.fullmatch(path.name) for path in self.directory.glob("step*.pt")}
        return sorted((path for path in found if found[path]), key=lambda path: int(found[path][1]), reverse=True)

    def _identity(self, path: Path) -> Any:
        """Return the identity stored in a checkpoint without reading its tensors; None if it cannot be read."""
        try:
            state = path.stat()
            key = (path, state.st_mtime_ns, state.st_size)
            if key not in self._known:
                _check_sums(path, ending="data.pkl")
                self._known[key] = _stated_identity(path)
            return self._known[key]
        except Exception:  # see `newest`
            return None

    def _named(self, others: list[Path]) -> str:
        count = len(others)
        what = "checkpoint of another run stays" if count == 1 else "checkpoints of other runs stay"
        return f"{self.directory}: {count} {what} as before (other settings, data or seed)"


def _stated_identity(path: Path) -> Any:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError:  # its sums are right, and it holds what no state here holds
        return FOREIGN
    return state.get("identity", FOREIGN) if isinstance(state, dict) else FOREIGN


def _check_sums(path: Path, ending: str = "") -> None:
    """Compare the archive's members of this ending with their checksums, which torch.load does not do."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(ending):
                with archive.open(name) as member:
                    while member.read(2**20):  # raises BadZipFile at the end
                        pass
