"""VOC07's average precision is right by hand where it differs from COCO's, and equals pycocotools' elsewhere."""

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mast.evaluation.coco_metrics import average_precision
from mast.evaluation.voc_metrics import voc07_average_precision


def scene(*objects: tuple[int, list[float], int]) -> dict:
    """One object (image, box, difficult) after another, of one class."""
    annotations = [
        {"id": number, "image_id": image, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": difficult}
        for number, (image, box, difficult) in enumerate(objects, 1)
    ]
    images = [{"id": image, "width": 100, "height": 100} for image in range(5)]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}


def found(*detections: tuple[int, list[float]]) -> list[dict]:
    """Detections (image, box), the surest first."""
    return [
        {"image_id": image, "category_id": 1, "bbox": box, "score": 1 - number / 100}
        for number, (image, box) in enumerate(detections)
    ]


BOX, OTHER, FAR = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 10.0, 10.0], [80.0, 80.0, 5.0, 5.0]


def test_precision_is_averaged_at_eleven_recalls() -> None:
    """Right, wrong, right of three objects: precision 1 up to recall 1/3, 2/3 up to 2/3, then 0."""
    coco = scene((0, BOX, 0), (1, BOX, 0), (2, BOX, 0))
    detections = found((0, BOX), (0, FAR), (1, BOX))
    assert voc07_average_precision(coco, detections)["AP50"] == pytest.approx(100 * (4 * 1 + 3 * 2 / 3) / 11)
    area = 100 * (1 / 3 + 1 / 3 * 2 / 3)  # under the curve, as VOC has it since 2010
    cocos = average_precision(coco, detections)["AP50"]
    assert cocos == pytest.approx(100 * (34 + 33 * 2 / 3) / 101) and round(cocos - area, 2) != 0


def test_a_second_detection_of_an_object_is_wrong_and_any_of_a_difficult_one_is_ignored() -> None:
    coco = scene((0, BOX, 0), (0, OTHER, 1), (1, BOX, 0))
    twice = found((0, BOX), (0, BOX), (1, BOX))
    assert voc07_average_precision(coco, twice)["AP50"] == pytest.approx(100 * (6 + 5 * 2 / 3) / 11)
    difficult = found((0, BOX), (0, OTHER), (0, OTHER), (1, BOX))
    assert voc07_average_precision(coco, difficult)["AP50"] == pytest.approx(100)


def test_what_lies_within_a_difficult_object_is_wrong() -> None:
    """VOC takes the overlap (IoU): a quarter. COCO takes the detection's own share on a crowd: all of it."""
    coco = scene((0, BOX, 1), (1, BOX, 0))
    detections = found((0, [0.0, 0.0, 5.0, 5.0]), (1, BOX))
    assert voc07_average_precision(coco, detections)["AP50"] == pytest.approx(50)
    assert average_precision(coco, detections)["AP50"] == pytest.approx(100)


def test_a_detection_counts_for_the_object_that_it_overlaps_most() -> None:
    """Found already, it is wrong, though another object is free that it overlaps enough."""
    near = [0.0, 0.0, 10.0, 13.0]
    coco = scene((0, BOX, 0), (0, near, 0))
    detections = found((0, BOX), (0, [0.0, 0.0, 10.0, 11.0]))
    assert voc07_average_precision(coco, detections)["AP50"] == pytest.approx(100 * 6 / 11)
    assert average_precision(coco, detections)["AP50"] == pytest.approx(100)


def test_corners_and_scores_are_rounded_as_in_the_files_of_vocs_evaluation() -> None:
    """`{score:.3f} {xmin:.1f} {ymin:.1f} {xmax:.1f} {ymax:.1f}`, the first pixel 1 (detectron2).

    Of a box of 10 × 10 a tenth of 5.04 counts as 5.0: the overlap is 0.5 and no longer above it.
    """
    coco = scene((0, BOX, 0), (1, BOX, 0))
    half = found((0, [0.0, 0.0, 10.0, 5.04]), (1, BOX))
    assert voc07_average_precision(coco, half)["AP50"] == pytest.approx(100 * 6 / 11 * 0.5)
    more = found((0, [0.0, 0.0, 10.0, 5.06]), (1, BOX))
    assert voc07_average_precision(coco, more)["AP50"] == pytest.approx(100)
    close = found((1, BOX), (0, FAR))
    close[0]["score"], close[1]["score"] = 0.5001, 0.5004  # equal as written; then in their order
    assert voc07_average_precision(coco, close)["AP50"] == pytest.approx(100 * 6 / 11)
    close[1]["score"] = 0.5006
    assert voc07_average_precision(coco, close)["AP50"] == pytest.approx(100 * 6 / 11 * 0.5)


@pytest.mark.parametrize("seed", range(4))
def test_without_such_cases_it_is_pycocotools_at_eleven_recalls(seed: int) -> None:
    generator = np.random.default_rng(seed)
    objects = [
        (image, [40.0 * place, 10.0, *generator.uniform(15, 30, 2)], 0) for image in range(5) for place in (0, 1)
    ]
    coco = scene(*objects)
    detections = [
        {
            "image_id": image,
            "category_id": 1,
            "bbox": np.round(np.array(box) + generator.normal(0, 2, 4), 1).tolist(),
            "score": round(float(generator.uniform()), 3),
        }
        for image, box, _ in objects * 2
    ]
    truth, guesses = COCO(), COCO()
    truth.dataset = coco
    guesses.dataset = coco | {
        "annotations": [entry | {"id": number, "area": 1, "iscrowd": 0} for number, entry in enumerate(detections, 1)]
    }
    truth.createIndex()
    guesses.createIndex()
    oracle = COCOeval(truth, guesses, "bbox")
    oracle.params.recThrs = np.arange(0.0, 1.1, 0.1)
    oracle.params.areaRng, oracle.params.areaRngLbl = [[0, 1e10]], ["all"]
    oracle.evaluate()
    oracle.accumulate()
    precision = 100 * oracle.eval["precision"][:, :, 0, 0, -1].mean(axis=1)
    ours = voc07_average_precision(coco, detections)
    assert ours == pytest.approx({"AP": precision.mean(), "AP50": precision[0], "AP75": precision[5]}, abs=1e-9)
    assert 0 < ours["AP"] < ours["AP50"]


def test_classes_count_alike_and_those_without_objects_do_not() -> None:
    coco = scene((0, BOX, 0), (0, OTHER, 0), (1, BOX, 1))
    coco["annotations"][1]["category_id"], coco["annotations"][2]["category_id"] = 2, 3
    assert voc07_average_precision(coco, found((0, BOX)))["AP"] == pytest.approx(50)
    assert voc07_average_precision(scene((0, BOX, 1)), found((0, BOX))) == dict.fromkeys(("AP", "AP50", "AP75"))
