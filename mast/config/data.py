"""Data sets: one model per kind, told apart by `kind`."""

from typing import Annotated, Literal

from pydantic import Field

from mast.config.base import Count, StrictModel


class _ClassificationData(StrictModel):
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the training images held out, stratified, to choose hyper-parameters on."""
    split_seed: int = 0
    """Seed of the train/validation split (and of the train/test split where the data come without one)."""


class ShapesData(_ClassificationData):
    """The embedded benchmark: rendered glyphs with five independent factors. Nothing to download."""

    kind: Literal["shapes"]
    train: Count = 6000
    test: Count = 2000
    size: Annotated[int, Field(ge=16, le=256)] = 32
    """Side of the square images, pixels."""
    seed: int = 0
    """Seed of the images; the same seed always draws the same images."""


class ScenesData(StrictModel):
    """The embedded detection benchmark: several `shapes` objects per image, boxes and masks in COCO format."""

    kind: Literal["shapes-scenes"]
    train: Count = 400
    test: Count = 200
    size: Annotated[int, Field(ge=32, le=1024)] = 96
    """Side of the square scenes, pixels."""
    max_objects: Count = 4
    """Each scene holds 1 to this many objects."""
    seed: int = 0


class DigitsData(_ClassificationData):
    """1,797 real handwritten digits (8×8, grayscale) that ship inside scikit-learn."""

    kind: Literal["digits"]
    size: Annotated[int, Field(ge=8, le=256)] = 32
    """Side to which the 8×8 images are enlarged (bicubic), pixels."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.3


class FolderData(_ClassificationData):
    """A directory of images: `<root>/{train,test}/<class>/*`, or a flat directory of unlabeled images.

    PNG, JPEG, WebP, BMP, TIFF, GIF; any size; grayscale, palette, RGBA and CMYK files are converted to RGB (transparent
    pixels to white).
    """

    kind: Literal["folder"]
    root: Annotated[str, Field(min_length=1)]
    """Path of the directory; relative paths start at the directory in which the command runs."""
    size: Annotated[int, Field(ge=8, le=1024)] = 224
    """Images are resized (short side, bicubic) and centre-cropped to this side, pixels."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What a file that cannot be decoded does: stop with its name, or be skipped and counted in the manifest."""
    licence: str = "not stated"
    """Recorded in the manifest."""


class CocoSplit(StrictModel):
    """One split of a detection data set."""

    images: Annotated[str, Field(min_length=1)]
    """Directory of the images."""
    annotations: Annotated[str, Field(min_length=1)]
    """COCO instances JSON."""


class CocoData(StrictModel):
    """A detection data set: directories of images with COCO JSON annotations."""

    kind: Literal["coco"]
    train: CocoSplit
    test: CocoSplit
    unreadable: Literal["stop", "skip"] = "stop"
    """What an image that cannot be decoded, or a box without area or outside its image, does: stop with its name, or be
    skipped and counted in the manifest."""
    licence: str = "not stated"


ImageSet = Annotated[str, Field(pattern=r"^[\w-]+/[\w-]+$")]
"""`<year>/<image set>`: the images that `VOC<year>/ImageSets/Main/<image set>.txt` lists."""

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""The 20 classes of PASCAL VOC (development kit 2012, section 2.1)."""


class VocData(StrictModel):
    """A detection data set in PASCAL VOC's layout: `VOC<year>/{Annotations,ImageSets,JPEGImages}`; boxes, no masks."""

    kind: Literal["voc"]
    root: Annotated[str, Field(min_length=1)]
    """Directory that holds VOC2007, VOC2012, … (`VOCdevkit`)."""
    train: Annotated[tuple[ImageSet, ...], Field(min_length=1)] = ("2007/trainval", "2012/trainval")
    """Image sets to train on, each as `<year>/<set>`; by default VOC07+12."""
    test: Annotated[tuple[ImageSet, ...], Field(min_length=1)] = ("2007/test",)
    classes: Annotated[tuple[str, ...], Field(min_length=1)] = VOC_CLASSES
    """Names that the annotations use, in the order of their numbers."""
    unreadable: Literal["stop", "skip"] = "stop"
    """As for `coco`."""
    licence: str = "not stated"


ClassificationData = ShapesData | DigitsData | FolderData
DetectionData = ScenesData | CocoData | VocData
DataSpec = Annotated[
    ShapesData | ScenesData | DigitsData | FolderData | CocoData | VocData, Field(discriminator="kind")
]
"""Any data set."""
