"""`arrow`: Arrow files with a column of images, such as what `save_to_disk` of Hugging Face's datasets writes."""

import json
from pathlib import Path
from typing import ClassVar, Literal

from mast.data.readers._columnar import ColumnarData
from mast.data.shards.columnar import ArrowShard
from mast.errors import MastError

STATE = "state.json"
"""Beside the shards of a saved split: lists them (huggingface/datasets, src/datasets/config.py)."""

_LEFT_BEHIND = ("cache-", "indices", "tmp")
"""How files begin that `datasets` writes beside those of a dataset, when it maps or filters it."""


class ArrowData(ColumnarData):
    """A dataset that Hugging Face's datasets saved (`save_to_disk`), or other Arrow and Feather files with a column of
    images, as bytes or paths, and columns of labels. Needs pyarrow."""

    SUFFIXES: ClassVar[tuple[str, ...]] = (".arrow", ".feather")
    SHARD: ClassVar[type[ArrowShard]] = ArrowShard

    kind: Literal["arrow"]

    def found(self) -> list[Path]:
        """Of a saved split the shards that it lists: others beside them are what `datasets` keeps for itself."""
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
    """The shards that a saved split lists; None where it lists none."""
    try:
        files = json.loads((folder / STATE).read_bytes())["_data_files"]
        return [folder / entry["filename"] for entry in files]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise MastError(f"{folder / STATE}: cannot be read ({error}); save the dataset again") from None
