"""`voc`: a detection dataset in the layout of PASCAL VOC's development kit. Images stay in place."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from pydantic import Field

from mast.data import outside
from mast.data.known_labels import KnownObjects
from mast.data.names import Finder, composed
from mast.data.prepared.instances import Split, write_instances
from mast.data.readers import DataPath
from mast.data.settings import VOC_CLASSES, ImageSet, ImageSets, InPlace
from mast.data.text import read_lines
from mast.errors import MastError
from mast.settings import Once, nearest


class VocData(ImageSets, InPlace):
    """A detection dataset in PASCAL VOC's layout: `VOC<year>/{Annotations,ImageSets,JPEGImages}`; boxes, no masks."""

    kind: Literal["voc"]
    root: DataPath
    """Directory that contains VOC2007, VOC2012, … (`VOCdevkit`)."""
    train: Annotated[tuple[ImageSet, ...], Field(min_length=1), Once] = ("2007/trainval", "2012/trainval")
    """Image sets to train on, each as `<year>/<set>`; by default VOC07+12."""
    test: Annotated[tuple[ImageSet, ...], Field(min_length=1), Once] = ("2007/test",)
    """Image sets to score on, each as `<year>/<set>`."""
    classes: Annotated[tuple[str, ...], Field(min_length=1), Once] = VOC_CLASSES
    """Class names in the annotations, in the order of their numbers."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What happens to faulty images and annotations, as for `coco`."""
    licence: str = "not stated"
    """Licence of the data, recorded in the manifest."""

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Check every annotation and decode every image, and write cleaned annotations in COCO's format.

        Objects marked as difficult are trained on like others (detectron2, data/datasets/pascal_voc.py). In the
        evaluation they are crowds (`iscrowd`): a detection on one counts neither as right nor as wrong. VOC's own
        evaluation ignores a detection by its IoU with a difficult object; COCO's measures the share of the detection
        that is on it.

        Raises:
            MastError: a file is missing, damaged or inconsistent; one line that names the file and the object.
        """
        splits = {"train": _read(self, self.train), "test": _read(self, self.test)}
        source = f"PASCAL VOC layout {self.root}: {', '.join(self.train)} and {', '.join(self.test)}"
        write_instances(name, self, splits, list(self.classes), output, source, threads)

    @property
    def known_objects(self) -> KnownObjects:
        """Objects of the prepared data: boxes without masks."""
        return KnownObjects(None, "data of kind 'voc' hold boxes alone")

    def sources(self) -> Iterator[outside.Place]:
        """Return the lists of images, and the images and annotation files that they name."""
        for _, _, file in self.listed(*self.train, *self.test):
            yield outside.Text(str(file))
        for image_sets in (self.train, self.test):
            images = _read(self, image_sets).images.values()
            yield outside.Listed(self.root, tuple(image["file_name"] for image in images))
            yield outside.Listed(self.root, tuple(image["xml"].relative_to(self.root).as_posix() for image in images))


@dataclass
class _VocSplit(Split):
    """A split in which every image has its own annotation file."""

    def image_place(self, image: dict[str, Any]) -> str:
        return str(image["xml"])

    def annotation_place(self, annotation: dict[str, Any]) -> str:
        return annotation["place"]


def _read(spec: VocData, image_sets: tuple[str, ...]) -> Split:
    """Read the annotations of the images that some image sets list."""
    root = Path(spec.root)
    if not root.is_dir():
        there = Finder().hint(root)
        raise MastError(f"{root}: no such directory{there}; set root to the directory that holds VOC2007, VOC2012, …")
    split, finder = _VocSplit(root, root, dict(enumerate(spec.classes, 1)), {}, []), Finder()
    for folder, _, file in spec.listed(*image_sets):
        for identifier in listed_images(file, folder, finder):
            _add_image(split, folder, identifier, spec.classes, finder)
    return split


def listed_images(file: Path, folder: Path, finder: Finder) -> list[str]:
    """Return the images of an image set: one per line, with possible spaces in the name.

    Lists of a class (`<class>_<set>.txt`) have -1, 0 or 1 after the image. The number is removed unless an image's
    name ends with it.
    """
    identifiers = []
    for line in read_lines(file, "train and test name image sets as <year>/<set>"):
        image, _, flag = line.replace("\t", " ").rpartition(" ")
        flagged = flag in ("-1", "0", "1") and image.strip()
        whole = not flagged or finder.find_image(folder / "JPEGImages" / f"{line}.jpg") is not None
        identifiers.append(line if whole else image.strip())
    if len(set(identifiers)) < len(identifiers):
        twice = next(name for name, count in Counter(identifiers).items() if count > 1)
        raise MastError(f"{file}: lists image {twice!r} twice; name each image once")
    return identifiers


def _add_image(split: Split, folder: Path, identifier: str, classes: tuple[str, ...], finder: Finder) -> None:
    place, described = folder / "JPEGImages" / f"{identifier}.jpg", folder / "Annotations" / f"{identifier}.xml"
    xml, image = finder.find(described), finder.find_image(place)
    for file, found in ((described, xml), (place, image)):
        if found is None:
            hint = finder.hint(file)
            raise MastError(f"{file}: no such file, though {folder.name} lists image {identifier!r}{hint}")
    try:
        annotation = ElementTree.parse(xml).getroot()
    except OSError as error:
        raise MastError(f"{xml}: cannot be read ({error.strerror})") from None
    except (ElementTree.ParseError, ValueError) as error:
        raise MastError(f"{xml}: not valid XML ({error})") from None
    key = len(split.images) + 1
    entry = {"id": key, "file_name": image.relative_to(split.root).as_posix(), "xml": xml}
    if annotation.find("size") is not None:
        entry |= {side: _number(annotation, f"size/{side}", str(xml)) for side in ("width", "height")}
    split.images[key] = entry
    for position, found in enumerate(annotation.findall("object"), 1):
        place = f"{xml}: object {position} ({found.findtext('name', 'without name').strip()})"
        split.annotations.append(_object(found, place, classes) | {"id": len(split.annotations) + 1, "image_id": key})


def _object(found: Element, place: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return an object in COCO's terms. VOC's pixels are counted from 1 and both corners belong to the box."""
    name = found.findtext("name", "").strip()
    name = next((own for own in classes if composed(own) == composed(name)), name)
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
