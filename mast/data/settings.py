"""Settings that several kinds of datasets share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from mast.data.known_labels import KnownLabels
from mast.data.prepared.splits import stratified_split
from mast.data.readers import DataPath, Reader
from mast.settings import FULL, PATTERNS, Normalisation, PixelRange, Transform, Transparency, Turning


class HeldOut(Reader):
    """Data whose validation images are drawn here."""

    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the training images that is held out, stratified, to choose hyper-parameters."""
    split_seed: int = 0
    """Seed of the train/validation split, and of the train/test split if the data have none."""

    def labels_of_one_target(self, target: str, classes: int, train: np.ndarray, test: np.ndarray) -> KnownLabels:
        """Return what is known about data with one target, from its labels int64 [N]."""
        validation = stratified_split(train, self.validation_fraction, self.split_seed)[1]
        return KnownLabels({target: classes}, train[:, None], test[:, None], validation)


class ImageFiles(Reader):
    """Datasets of image files."""

    tiny: ClassVar[dict[str, Any]] = {"size": 32}
    later: ClassVar[frozenset[str]] = frozenset({"range", "transform", "exif", "transparency", "normalisation"})

    root: DataPath
    """Path of the directory; relative paths start at `data_root` or, without it, where the command runs."""
    size: Annotated[int, Field(ge=8, le=1024)] = 224
    """Side of the prepared images, pixels: the short side is resized to it (bicubic), and the central square is cut
    out.
    """
    storage: Literal["arrays", "index"] = "arrays"
    """`arrays`: images are decoded once, into one array. `index`: image files stay in place and are decoded whenever a
    batch needs them, for datasets too large to copy."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What happens to a file that cannot be decoded. `stop`: `prepare` stops and names it. `skip`: the file is left out
    and counted in the manifest. For an index only the head of each file is read; a file that is damaged further on
    stops the job that decodes it.
    """
    range: PixelRange = FULL
    """Values that become black and white in images of more than 8 bits: `full`, the ends of the range of 16 bits;
    `minmax`, the smallest and the largest value of each image; or `[low, high]`.
    """
    transform: Transform | None = None
    """How a whole image becomes a square of `size` pixels in the source of a protocol (docs/understand/protocols.md).
    The square is always made from the original file. Null: short side resized and central square cut, as described for
    `size`.
    """
    exif: Turning = "upright"
    """`upright`: a photograph is turned as its EXIF says. `stored`: it is not, as torchvision's loaders read it."""
    transparency: Transparency = "white"
    """`white`: transparent pixels are laid over white. `dropped`: their transparency is left out and the colour that is
    stored beneath it is shown, as torchvision's loaders read it (Pillow's `convert("RGB")`)."""
    normalisation: Normalisation | None = None
    """Mean and standard deviation with which encoders that are pretrained on the data normalise all their images. Null:
    those of the training images.
    """

    @model_validator(mode="after")
    def _large_enough_to_crop(self) -> Self:
        transform = self.transform
        if transform is not None and transform.square == "crop" and (transform.resize or self.size) < self.size:
            raise ValueError(
                f"transform.resize: {transform.resize} is less than size, {self.size}: no square of that size could be "
                f"cut out; choose {self.size} or more, or square: stretch"
            )
        return self


class InPlace(Reader):
    """Detection data whose images stay in place; with settings `unreadable` and `licence`."""

    has_boxes: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = frozenset({"range", "exif"})

    range: PixelRange = FULL
    """Values that become black and white in images of more than 8 bits, as for `folder`."""
    exif: Turning = "stored"
    """Pixels that boxes and masks refer to if EXIF says that a photograph is rotated: as stored, or upright. Such
    images are counted and named in the manifest. A width and height stated for the other orientation are refused.
    """

    @property
    def prepared_bytes(self) -> int:
        """Size of the prepared images, bytes: 0, as only annotations are written."""
        return 0


_IMAGE_SET = r"^[\w-]+/[\w .+-]+$"
PATTERNS[_IMAGE_SET] = "an image set is <year>/<set>, such as 2007/trainval"
ImageSet = Annotated[str, Field(pattern=_IMAGE_SET)]
"""`<year>/<image set>`: the images that `VOC<year>/ImageSets/Main/<image set>.txt` lists."""

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""The 20 classes of PASCAL VOC (development kit 2012, section 2.1)."""


class ImageSets(Reader):
    """Data in the layout of PASCAL VOC's development kit: lists of images below `root`, named in `train` and `test`."""

    def listed(self, *image_sets: str) -> Iterator[tuple[Path, str, Path]]:
        """Return the directory `VOC<year>` of each image set, its name there, and the list of its images."""
        for image_set in image_sets:
            year, name = image_set.split("/")
            folder = Path(self.root) / f"VOC{year}"
            yield folder, name, folder / f"ImageSets/Main/{name}.txt"

    def needed(self) -> list[str]:
        """Return the lists of images."""
        return [str(file) for _, _, file in self.listed(*self.train, *self.test)]
