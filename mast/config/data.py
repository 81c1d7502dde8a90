"""Data sets: one model per kind, told apart by `kind`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mast.settings import Count, StrictModel


class _ClassificationData(StrictModel):
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the training images held out, stratified, to choose hyper-parameters on."""
    split_seed: int = 0
    """Seed of the train/validation split (and of the train/test split where the data come without one)."""


class ShapesData(_ClassificationData):
    """The embedded benchmark: rendered glyphs with six independent factors. Nothing to download."""

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


class _ImageFiles(StrictModel):
    root: Annotated[str, Field(min_length=1)]
    """Path of the directory; relative paths start at the directory in which the command runs."""
    size: Annotated[int, Field(ge=8, le=1024)] = 224
    """Images are resized (short side, bicubic) and centre-cropped to this side, pixels."""
    storage: Literal["arrays", "index"] = "arrays"
    """`arrays`: images are decoded once, into one array. `index`: image files stay in place and are decoded whenever a
    batch needs them, for data sets too large to copy."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What a file that cannot be decoded does: stop with its name, or be skipped and counted in the manifest. An index
    reads no more than the head of each file; a file damaged further on stops the job that decodes it."""


class FolderData(_ImageFiles, _ClassificationData):
    """A directory of images: `<root>/{train,test}/<class>/*`, or a flat directory of unlabeled images.

    PNG, JPEG, WebP, BMP, TIFF, GIF; any size; grayscale, palette, RGBA and CMYK files are converted to RGB (transparent
    pixels to white).
    """

    kind: Literal["folder"]
    licence: str = "not stated"
    """Recorded in the manifest."""


class PublicData(_ImageFiles):
    """A public data set in its official layout below `root`, with the splits of its protocol (docs/data.md)."""

    kind: Literal["public"]
    source: Literal[
        "stl10",
        "stl10-unlabeled",
        "cifar10",
        "cifar100",
        "food101",
        "flowers102",
        "pets",
        "dtd",
        "aircraft",
        "cars",
        "caltech101",
        "sun397",
        "mit67",
        "imagenet",
        "imagenet100",
        "places205",
        "inaturalist2018",
    ]
    download: bool = False
    """Fetch and unpack into `root` what is missing there. Otherwise nothing is ever downloaded."""
    verify: bool = True
    """Stop unless checksums and numbers of images are the official ones; false for a reduced copy of your own."""

    @model_validator(mode="after")
    def _files_to_index(self) -> Self:
        if self.storage == "index" and self.source.startswith(("stl10", "cifar")):
            raise ValueError(f"storage: {self.source} has no image files that could stay in place; set it to arrays")
        return self


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
    """What an image that cannot be decoded, a box without area or outside its image, or a faulty segmentation does:
    stop with its name, or be skipped and counted in the manifest."""
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


class VocLabelsData(_ImageFiles, _ClassificationData):
    """PASCAL VOC's classification task: which classes an image shows. One label for each class, for `svm-voc`."""

    kind: Literal["voc-labels"]
    train: Annotated[tuple[ImageSet, ...], Field(min_length=1)] = ("2007/trainval",)
    """Image sets to train on, each as `<year>/<set>`."""
    test: Annotated[tuple[ImageSet, ...], Field(min_length=1)] = ("2007/test",)
    classes: Annotated[tuple[str, ...], Field(min_length=1)] = VOC_CLASSES
    """Names of the files `ImageSets/Main/<class>_<set>.txt`."""
    licence: str = "not stated"


ClassificationData = ShapesData | DigitsData | FolderData | PublicData | VocLabelsData
DetectionData = ScenesData | CocoData | VocData
DataSpec = Annotated[
    ShapesData | ScenesData | DigitsData | FolderData | PublicData | CocoData | VocData | VocLabelsData,
    Field(discriminator="kind"),
]
"""Any data set."""
