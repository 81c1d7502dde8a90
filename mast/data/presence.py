"""What a data set needs before it can be prepared: files that must be there, and disk."""

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
from mast.data.sources.source import Source


def missing_files(spec: DataSpec) -> list[str]:
    """What is not there, one line for each file or directory; empty if all is, or can be fetched or rendered."""
    match spec:
        case PublicData():
            source, root = _source(spec), Path(spec.root)
            absent = [str(root / file) for file in source.files if not (root / file).exists()]
            return [] if spec.download and source.archives else [f"{file} ({source.homepage})" for file in absent]
        case CocoData():
            places = [place for split in (spec.train, spec.test) for place in (split.images, split.annotations)]
        case VocData() | VocLabelsData():
            sets = [image_set.split("/") for image_set in (*spec.train, *spec.test)]
            places = [f"{spec.root}/VOC{year}/ImageSets/Main/{name}.txt" for year, name in sets]
        case FolderData():
            places = [spec.root]
        case _:
            places = []
    return [place for place in places if not Path(place).exists()]


def prepared_bytes(spec: DataSpec) -> int | None:
    """Size of the prepared images, bytes; None where the number of images is not known beforehand."""
    match spec:
        case ShapesData() | ScenesData():
            return (spec.train + spec.test) * spec.size**2 * 3
        case DigitsData():
            return 1797 * spec.size**2 * 3
        case PublicData(storage="arrays"):
            return sum(_source(spec).counts.values()) * spec.size**2 * 3
        case PublicData() | CocoData() | VocData():
            return 0  # images stay in place
    return None


def _source(spec: PublicData) -> Source:
    from mast.data.sources.catalogue import SOURCES  # imports torchvision, which takes seconds

    return SOURCES[spec.source]
