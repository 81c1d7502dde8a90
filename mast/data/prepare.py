"""One entry for every kind of data set: from its spec to the prepared directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mast.config import DataSpec
from mast.data.digits import prepare_digits
from mast.data.shapes import prepare_shapes

_PREPARE: dict[str, Callable[[str, Any, Path], None]] = {
    "shapes": prepare_shapes,
    "digits": prepare_digits,
}


def prepare(name: str, spec: DataSpec, output: Path) -> None:
    """Write the prepared form of a data set into the directory `output` (see docs/design.md).

    Raises:
        MastError: the source is missing, damaged or not what the spec says.
    """
    _PREPARE[spec.kind](name, spec, Path(output))
