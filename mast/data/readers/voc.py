"""`voc`: a detection data set in the layout of PASCAL VOC's development kit. Images stay in place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from pydantic import Field

from mast.data.prepared.instances import Split, write_instances
from mast.data.readers import DataPath
from mast.data.settings import VOC_CLASSES, ImageSet, ImageSets, InPlace
from mast.errors import MastError
from mast.settings import nearest


class VocData(ImageSets, InPlace):
    """A detection data set in PASCAL VOC's layout: `VOC<year>/{Annotations,ImageSets,JPEGImages}`; boxes, no masks."""

    kind: Literal["voc"]
    root: DataPath
    """Directory that holds VOC2007, VOC2012, … (`VOCdevkit`)."""
    train: Annotated[tuple[ImageSet, ...], Field(min_length=1)] = ("2007/trainval", "2012/trainval")
    """Image sets to train on, each as `<year>/<set>`; by default VOC07+12."""
    test: Annotated[tuple[ImageSet, ...], Field(min_length=1)] = ("2007/test",)
    classes: Annotated[tuple[str, ...], Field(min_length=1)] = VOC_CLASSES
    """Names that the annotations use, in the order of their numbers."""
    unreadable: Literal["stop", "skip"] = "stop"
    """As for `coco`."""
    licence: str = "not stated"

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Check every annotation and decode every image, and write cleaned annotations in COCO's format.

        Objects marked as difficult are learned from like others (detectron2, data/datasets/pascal_voc.py). In the
        evaluation they are crowds (`iscrowd`): a detection on one counts neither as right nor as wrong. In VOC's own
        evaluation a detection is ignored by its overlap (IoU) with a difficult object; COCO's measures how much of the
        detection lies on it.

        Raises:
            MastError: a file is missing, damaged or inconsistent; one line that names the file and the object.
        """
        splits = {"train": _read(self, self.train), "test": _read(self, self.test)}
        source = f"PASCAL VOC layout {self.root}: {', '.join(self.train)} and {', '.join(self.test)}"
        write_instances(name, self, splits, list(self.classes), output, source, threads)


@dataclass
class _VocSplit(Split):
    """A split whose every image has an annotation file of its own."""

    def image_place(self, image: dict[str, Any]) -> str:
        return str(image["xml"])

    def annotation_place(self, annotation: dict[str, Any]) -> str:
        return annotation["place"]


def _read(spec: VocData, image_sets: tuple[str, ...]) -> Split:
    """Read the annotations of the images that some image sets list."""
    root = Path(spec.root)
    if not root.is_dir():
        raise MastError(f"{root}: no such directory; set root to the directory that holds VOC2007, VOC2012, …")
    split = _VocSplit(root, root, dict(enumerate(spec.classes, 1)), {}, [])
    for folder, _, file in spec.listed(*image_sets):
        for identifier in _identifiers(file):
            _add_image(split, folder, identifier, spec.classes)
    return split


def _identifiers(file: Path) -> list[str]:
    """The first word of each line of an image set."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise MastError(f"{file}: no such file; train and test name image sets as <year>/<set>") from None
    except (OSError, UnicodeDecodeError) as error:
        raise MastError(f"{file}: cannot be read ({error})") from None
    identifiers = [line.split()[0] for line in lines if line.strip()]
    if not identifiers:
        raise MastError(f"{file}: lists no image")
    return identifiers


def _add_image(split: Split, folder: Path, identifier: str, classes: tuple[str, ...]) -> None:
    image, xml = folder / "JPEGImages" / f"{identifier}.jpg", folder / "Annotations" / f"{identifier}.xml"
    for file in (xml, image):
        if not file.is_file():
            raise MastError(f"{file}: no such file, though {folder.name} lists image {identifier!r}")
    try:
        annotation = ElementTree.parse(xml).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise MastError(f"{xml}: not valid XML ({error})") from None
    key = len(split.images) + 1
    entry = {"id": key, "file_name": image.relative_to(split.root).as_posix(), "xml": xml}
    if annotation.find("size") is not None:
        entry |= {side: int(_number(annotation, f"size/{side}", str(xml))) for side in ("width", "height")}
    split.images[key] = entry
    for position, found in enumerate(annotation.findall("object"), 1):
        place = f"{xml}: object {position} ({found.findtext('name', 'without name').strip()})"
        split.annotations.append(_object(found, place, classes) | {"id": len(split.annotations) + 1, "image_id": key})


def _object(found: Element, place: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """An object in COCO's terms. VOC's pixels are counted from 1 and both corners belong to the box."""
    name = found.findtext("name", "").strip()
    if name not in classes:
        raise MastError(f"{place}: unknown class; {nearest(name, classes)} (or name your own in classes)")
    left, top, right, bottom = (_number(found, f"bndbox/{side}", place) for side in ("xmin", "ymin", "xmax", "ymax"))
    if right <= left or bottom <= top:
        width = height = 0.0
    else:
        width, height = right - left + 1, bottom - top + 1
    difficult = int(found.findtext("difficult", "0").strip() == "1")
    return {
        "category_id": classes.index(name) + 1,
        "bbox": [left - 1, top - 1, width, height],
        "iscrowd": difficult,
        "difficult": difficult,
        "place": place,
    }


def _number(element: Element, path: str, place: str) -> float:
    text = element.findtext(path, "").strip()
    try:
        return float(text)
    except ValueError:
        raise MastError(f"{place}: {path} is {text!r}, not a number") from None
