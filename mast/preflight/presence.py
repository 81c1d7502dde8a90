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
    """Files and directories that are not there; empty if all are, or if the data are rendered."""
    match spec:
        case PublicData():
            places = [str(Path(spec.root) / file) for file in source_of(spec).files]
        case CocoData():
            places = [place for split in (spec.train, spec.test) for place in (split.images, split.annotations)]
        case VocData() | VocLabelsData():
            places = [str(file) for file in _image_sets(spec)]
        case FolderData():
            places = [spec.root]
        case _:
            places = []
    return [place for place in places if not Path(place).exists()]


def is_fetched(spec: DataSpec) -> bool:
    """Whether `prepare` fetches what is missing."""
    return isinstance(spec, PublicData) and spec.download and bool(source_of(spec).archives)


def prepared_bytes(spec: DataSpec) -> int | None:
    """Size of the prepared images, bytes; None where the number of images is not known beforehand."""
    match spec:
        case ShapesData() | ScenesData():
            return (spec.train + spec.test) * spec.size**2 * 3
        case DigitsData():
            return 1797 * spec.size**2 * 3
        case PublicData(storage="arrays"):
            return sum(source_of(spec).counts.values()) * spec.size**2 * 3
        case PublicData() | CocoData() | VocData():
            return 0  # images stay in place
        case VocLabelsData() if not missing_files(spec):
            return sum(len(file.read_bytes().split(b"\n")) for file in _image_sets(spec)) * spec.size**2 * 3
    return None


def source_of(spec: PublicData) -> Source:
    """What is known of a public data set."""
    from mast.data.sources.catalogue import SOURCES  # imports torchvision, which takes seconds

    return SOURCES[spec.source]


def _image_sets(spec: VocData | VocLabelsData) -> list[Path]:
    sets = [image_set.split("/") for image_set in (*spec.train, *spec.test)]
    return [Path(spec.root) / f"VOC{year}/ImageSets/Main/{name}.txt" for year, name in sets]
