"""Whole images become the same squares as with torchvision's transforms of Pillow images, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets.folder import pil_loader
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from mast.data.crops import CropBoxes
from mast.data.decode import decode, square
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.folder import FolderData
from mast.data.transforms import squared
from mast.errors import MastError
from mast.settings import Transform, parse

IMAGENET = (Transform(resize=256), Compose([Resize(256), CenterCrop(224)]))
"""facebookresearch/vicreg, evaluate.py; facebookresearch/vissl, the YAML files of Places205 and iNaturalist 2018."""
VOC07 = (Transform(resize=256, square="stretch"), Compose([Resize(256), Resize((224, 224))]))
"""facebookresearch/vissl, eval_resnet_8gpu_transfer_voc07_svm.yaml."""
BICUBIC = (
    Transform(interpolation="bicubic"),
    Compose([Resize(224, interpolation=InterpolationMode.BICUBIC), CenterCrop(224)]),
)
"""hankook/AugSelf, datasets.py, load_datasets."""

CASES = {"imagenet": IMAGENET, "voc07": VOC07, "augself": BICUBIC}

IN_PLACE = {"storage": "index", "labels": "none"}

ODD = {
    "portrait": ("RGB", (333, 501), 1),
    "landscape": ("RGB", (500, 375), 1),
    "tiny": ("RGB", (17, 31), 1),
    "square": ("RGB", (256, 256), 1),
    "grey": ("L", (301, 224), 1),
    "cmyk": ("CMYK", (259, 400), 1),
    "turned": ("RGB", (400, 299), 6),
}
"""Name → mode, width and height, EXIF orientation."""


def write(file: Path, mode: str, size: tuple[int, int], orientation: int) -> Path:
    channels = len(Image.new(mode, (1, 1)).getbands())
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 4 + 1, size[0] // 4 + 1, channels), np.uint8)
    bands = [Image.fromarray(noise[..., band]).resize(size) for band in range(channels)]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.merge(mode, bands).save(file, "JPEG", exif=exif)
    return file


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("odd", ODD)
def test_as_torchvision_does_it(case: str, odd: str, tmp_path: Path) -> None:
    file = write(tmp_path / "odd.jpg", *ODD[odd])
    transform, theirs = CASES[case]
    ours = squared(decode(file, upright=False), 224, transform)
    assert ours.shape == (224, 224, 3) and ours.dtype == np.uint8
    np.testing.assert_array_equal(ours, np.asarray(theirs(pil_loader(str(file)))))


def test_without_a_transform_nothing_moves(tmp_path: Path) -> None:
    """It is not the same: Pillow's `fit` cuts out a part between pixels and resizes that."""
    image = decode(write(tmp_path / "odd.jpg", *ODD["portrait"]))
    np.testing.assert_array_equal(squared(image, 96), square(image, 96))
    assert (squared(image, 96) != squared(image, 96, Transform(interpolation="bicubic"))).any()


@pytest.mark.parametrize("storage", ["arrays", "index"])
def test_from_the_original_file_however_images_are_stored(storage: str, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label, odd in (("a", "turned"), ("b", "portrait")):
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(2):
                write(tmp_path / split / label / f"{number}.jpg", *ODD[odd])
    settings = {"kind": "folder", "root": str(tmp_path), "size": 96, "storage": storage, "exif": "stored"}
    spec = FolderData(**settings, transform={"resize": 128, "square": "stretch"})
    prepare("odd", spec, tmp_path / "prepared")
    prepare("plain", FolderData(**settings), tmp_path / "plain")
    prepare("upright", FolderData(**settings | {"exif": "upright"}), tmp_path / "upright")
    data, plain, upright = (open_prepared(tmp_path / name) for name in ("prepared", "plain", "upright"))
    theirs = Compose([Resize(128), Resize((96, 96))])(pil_loader(str(tmp_path / "test/a/0.jpg")))
    np.testing.assert_array_equal(data.images("test")[:1][0], np.asarray(theirs))
    assert len({data.sha256, plain.sha256, upright.sha256}) == 3, "another reading is another dataset"


@pytest.mark.parametrize(("exif", "sides"), [("stored", (400, 299)), ("upright", (299, 400))])
def test_crops_are_of_the_same_reading(exif: str, sides: tuple[int, int], tmp_path: Path) -> None:
    for number in range(2):
        file = write(tmp_path / f"{number}.jpg", *ODD["turned"])
    prepare("odd", FolderData(kind="folder", root=str(tmp_path), size=96, **IN_PLACE, exif=exif), tmp_path / "prepared")
    images, left_half = open_prepared(tmp_path / "prepared").images("train"), np.float32([1, 0, 0, 0.5, 1])
    assert images.sizes(np.array([1])).tolist() == [list(sides)]
    ours = images.crops(np.array([1]), CropBoxes(left_half[None, None], "bilinear"))[0, 0]
    box = (0, 0, round(sides[0] / 2), sides[1])
    theirs = decode(file, upright=exif == "upright").crop(box).resize((96, 96), Image.Resampling.BILINEAR)
    assert np.abs(ours.astype(int) - np.asarray(theirs)).mean() < 1 / 4


@pytest.mark.parametrize("storage", ["arrays", "index"])
def test_a_stated_normalisation_takes_the_place_of_the_images_own(storage: str, tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path / f"{number}.jpg", *ODD["tiny"])
    settings = {"kind": "folder", "root": str(tmp_path), "size": 16, "storage": storage, "labels": "none"}
    stated = {"mean": [0.43, 0.42, 0.39], "std": [0.27, 0.26, 0.27]}
    prepare("stated", FolderData(**settings, normalisation=stated), tmp_path / "stated")
    prepare("own", FolderData(**settings), tmp_path / "own")
    data, own = open_prepared(tmp_path / "stated"), open_prepared(tmp_path / "own")
    assert {"mean": data.mean, "std": data.std} == stated != {"mean": own.mean, "std": own.std}
    assert data.sha256 != own.sha256, "what is trained on them is another encoder"
    np.testing.assert_array_equal(data.images("train")[:2], own.images("train")[:2])


def test_a_square_that_cannot_be_cut_out_is_one_line() -> None:
    values = {"kind": "folder", "root": "x", "size": 224, "transform": {"resize": 200}}
    with pytest.raises(
        MastError, match=r"datasets\.x: .*transform\.resize: 200 is less than size, 224.*stretch"
    ) as error:
        parse(FolderData, values, "datasets.x")
    assert "\n" not in str(error.value)
    parse(FolderData, values | {"transform": {"resize": 200, "square": "stretch"}}, "datasets.x")
