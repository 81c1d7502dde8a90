"""`arrow`: Arrow files with a column of images, such as those written by `save_to_disk` of Hugging Face's datasets."""

import json
from pathlib import Path
from typing import ClassVar, Literal

from mast.data.readers._columnar import ColumnarData
from mast.data.shards.columnar import ArrowShard
from mast.errors import MastError

STATE = "state.json"
"""File next to the shards of a saved split that lists them (huggingface/datasets, src/datasets/config.py)."""

_LEFT_BEHIND = ("cache-", "indices", "tmp")
"""Prefixes of other files that `datasets` writes next to those of a dataset when it maps or filters it."""


class ArrowData(ColumnarData):
    """A dataset that Hugging Face's datasets saved (`save_to_disk`), or other Arrow and Feather files with a column of
    images, as bytes or paths, and columns of labels. Needs pyarrow."""

    SUFFIXES: ClassVar[tuple[str, ...]] = (".arrow", ".feather")
    SHARD: ClassVar[type[ArrowShard]] = ArrowShard

    kind: Literal["arrow"]

    def found(self) -> list[Path]:
        """Return the shards listed by a saved split; other files next to them belong to `datasets` itself."""
        found = super().found()
        if found == [Path(self.root)]:
            return found
        listed = {folder: _listed(folder) for folder in {file.parent for file in found}}
        for folder, files in listed.items():
            for file in files or ():
                if file not in found:
                    raise MastError(f"{file}: missing, though {folder / STATE} lists it; save the dataset again")
        own = [file for file in found if _is_own(file, listed[file.parent])]
        if not own:
            raise MastError(f"{self.root}: holds no {' or '.join(self.SUFFIXES)} file of a dataset")
        return own


def _is_own(file: Path, listed: list[Path] | None) -> bool:
    return not file.name.startswith(_LEFT_BEHIND) if listed is None else file in listed


def _listed(folder: Path) -> list[Path] | None:
    """Return the shards that a saved split lists; None if it lists none."""
    try:
        files = json.loads((folder / STATE).read_bytes())["_data_files"]
        return [folder / entry["filename"] for entry in files]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise MastError(f"{folder / STATE}: cannot be read ({error}); save the dataset again") from None
