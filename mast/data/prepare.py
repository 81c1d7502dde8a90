"""One entry for every kind of data set: from its spec to the prepared directory."""

from pathlib import Path

from mast.config import (
    CocoData,
    DataSpec,
    DigitsData,
    FolderData,
    PublicData,
    ScenesData,
    ShapesData,
    VocData,
    VocLabelsData,
)
from mast.data.embedded.scenes import prepare_scenes
from mast.data.embedded.shapes import prepare_shapes
from mast.data.readers.coco import prepare_coco
from mast.data.readers.folder import prepare_folder
from mast.data.readers.voc import prepare_voc
from mast.data.readers.voc_labels import prepare_voc_labels
from mast.errors import MastError


def prepare(name: str, spec: DataSpec, output: Path, threads: int = 1) -> None:
    """Write the prepared form of a data set into the directory `output` (see docs/design.md).

    Either the whole data set is replaced, or, if anything goes wrong, what was there before stays.

    Args:
        name: recorded in the manifest.
        spec: what to prepare.
        output: directory of the prepared data.
        threads: for decoding image files.

    Raises:
        MastError: the source is missing, damaged or not what the spec says; the disk is full.
    """
    try:
        _prepare(name, spec, Path(output), threads)
    except OSError as error:
        where = error.filename or output
        reason = error.strerror or str(error)  # numpy reports a full disk in words of its own
        raise MastError(f"{where}: preparing {name!r} stopped ({reason}); check disk space and permissions") from None


def _prepare(name: str, spec: DataSpec, output: Path, threads: int) -> None:
    match spec:
        case ShapesData():
            prepare_shapes(name, spec, output)
        case ScenesData():
            prepare_scenes(name, spec, output)
        case DigitsData():
            from mast.data.readers.digits import prepare_digits  # here: scikit-learn takes a second to import

            prepare_digits(name, spec, output)
        case FolderData():
            prepare_folder(name, spec, output, threads)
        case PublicData():
            from mast.data.readers.public import prepare_public  # here: torchvision takes two seconds to import

            prepare_public(name, spec, output, threads)
        case CocoData():
            prepare_coco(name, spec, output, threads)
        case VocData():
            prepare_voc(name, spec, output, threads)
        case VocLabelsData():
            prepare_voc_labels(name, spec, output, threads)
