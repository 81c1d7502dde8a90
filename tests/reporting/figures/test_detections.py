"""Which images and detections a figure of detections shows."""

from mast.reporting.figures.detections import right_detections, shown_images


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
