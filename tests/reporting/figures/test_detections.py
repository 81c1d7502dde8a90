"""A figure of detections shows the right images and detections, and places its labels."""

import itertools
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from mast.errors import MastError
from mast.reporting.figures.detections import LETTERS, _pixels, label_places, right_detections, shown_images
from mast.results import DataFiles


def entry(box: list[int], category: int = 1) -> dict[str, object]:
    return {"bbox": box, "category_id": category}


def test_a_detection_is_right_once_per_object() -> None:
    truth = [entry([0, 0, 10, 10]), entry([20, 0, 10, 10], category=2)]
    found = [
        entry([0, 0, 10, 9]),
        entry([0, 0, 10, 10]),  # the same object again
        entry([20, 0, 10, 10]),  # wrong class
        entry([24, 0, 10, 10], category=2),  # IoU 3/7
        entry([23, 0, 10, 10], category=2),  # IoU 7/13
    ]
    assert right_detections(found, truth) == [True, False, False, False, True]


def test_without_objects_nothing_is_right() -> None:
    assert right_detections([entry([0, 0, 1, 1])], []) == [False]
    assert right_detections([], [entry([0, 0, 1, 1])]) == []


def test_images_with_several_objects_evenly_spaced() -> None:
    objects = {0: 2, 1: 1, 2: 3, 3: 0, 4: 2, 5: 2}
    coco = {
        "images": [{"id": image} for image in objects],
        "annotations": [{"image_id": image, "iscrowd": 0} for image, count in objects.items() for _ in range(count)],
    }
    assert [image["id"] for image in shown_images(coco, 2)] == [0, 5]
    assert [image["id"] for image in shown_images(coco, 9)] == [0, 2, 4, 5]
    coco["annotations"] = [{"image_id": 1, "iscrowd": 1}] * 2
    assert [image["id"] for image in shown_images(coco, 2)] == [0, 5]


def test_photographs_in_heif_are_drawn_and_damaged_ones_named(tmp_path: Path) -> None:
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (200, 10, 10))).save(str(tmp_path / "a.heic"))
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    data, coco = DataFiles(tmp_path), {"images_root": str(tmp_path)}
    pixels = _pixels(data, coco, {"file_name": "a.heic"})
    assert pixels.shape == (48, 64, 3) and pixels[..., 0].min() > 190
    with pytest.raises(MastError, match=r"b\.png: cannot be read \(.*\); prepare the data again"):
        _pixels(data, coco, {"file_name": "b.png"})


def rectangle(place: tuple[float, float], text: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a label where a pixel is a point."""
    x, y = place
    return x, y - 1.3 * LETTERS, x + 0.62 * LETTERS * len(text), y


def test_labels_of_boxes_that_lie_on_each_other_do_not_cover_each_other() -> None:
    boxes, texts = [[40, 60, 50, 40], [42, 61, 47, 38], [41, 60, 48, 40]], ["G 0.30", "h 0.28", "flag 0.20"]
    labels = [rectangle(*own) for own in zip(label_places(boxes, texts, 200, 200, 1.0), texts, strict=True)]
    for first, second in itertools.combinations(labels, 2):
        apart = first[2] <= second[0] or second[2] <= first[0] or first[3] <= second[1] or second[3] <= first[1]
        assert apart, (first, second)


@pytest.mark.parametrize("box", [[-2, -2, 30, 20], [185, 190, 20, 15], [0, 0, 200, 200]])
def test_labels_stay_in_the_image(box: list[float]) -> None:
    left, top, right, bottom = rectangle(label_places([box], ["flag 0.50"], 200, 200, 1.0)[0], "flag 0.50")
    assert left >= 0
    assert top >= -1e-9
    assert right <= 200
    assert bottom <= 200
