"""What the mask head of C4 learns, beside pycocotools' drawing of polygons that are moved and scaled one by one."""

from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask

from mast.data.segmentation import outlines
from mast.evaluation.detection_images import flipped
from mast.models.detector_images import ReferenceTransform
from mast.models.detector_masks import mask_targets

SIDE = 14
BOXES = torch.tensor([[18.3, 38.6, 83.1, 84.9], [40.0, 50.0, 90.0, 110.0]])


def outline(x: float, y: float, across: float, down: float) -> np.ndarray:
    """Corners of an ellipse, [60, 2]."""
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return np.stack([x + across * np.cos(turns), y + down * np.sin(turns)], axis=1)


def drawn(polygons: list[np.ndarray], box: torch.Tensor) -> np.ndarray:
    """As rasterize_polygons_within_box of detectron2 (structures/masks.py), in its own steps."""
    left, top, right, bottom = box.double().tolist()
    height, width = max(bottom - top, 0.1), max(right - left, 0.1)
    placed = [
        [value for x, y in corners for value in (SIDE * (x - left) / width, SIDE * (y - top) / height)]
        for corners in polygons
    ]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(placed, SIDE, SIDE)))


def target(*segmentations: Any, size: tuple[int, int] = (100, 120)) -> dict[str, torch.Tensor]:
    """As `DetectionImages` gives it: masks of those in run lengths alone."""
    masks = [coco_mask.decode(each) for each in segmentations if isinstance(each, dict)]
    return {
        "boxes": torch.ones(len(segmentations), 4).cumsum(dim=1),
        "outlines": torch.from_numpy(outlines(list(segmentations))),
        "masks": torch.from_numpy(np.array(masks, np.uint8).reshape(-1, *size)),
    }


def written(*polygons: np.ndarray) -> list[list[float]]:
    return [corners.flatten().tolist() for corners in polygons]


def test_polygons_are_drawn_in_each_box() -> None:
    """To the cell: one polygon, several that overlap or lie outside the box, and a box without width."""
    round_, high, far = outline(50, 60, 30, 20), outline(70, 70, 8, 30), outline(10, 10, 5, 5)
    boxes = torch.cat([BOXES, BOXES, torch.tensor([[50.0, 60.0, 50.01, 75.0]])])
    objects = target(written(round_, high), written(far), written(high))
    which = torch.tensor([0, 0, 2, 1, 2])
    found = mask_targets(objects, boxes, which, SIDE)
    for number, box, mask in zip(which, boxes, found.numpy(), strict=True):
        np.testing.assert_array_equal(mask, drawn([[round_, high], [far], [high]][number], box))
    assert found.dtype == torch.float32 and 0 < found[0].mean() < 1 and not found[3].any()


def test_boxes_may_have_reduced_precision() -> None:
    objects, which, half = target(written(outline(50, 60, 30, 20))), torch.tensor([0, 0]), BOXES.bfloat16()
    found = mask_targets(objects, half, which, SIDE)
    np.testing.assert_array_equal(found.float(), mask_targets(objects, half.float(), which, SIDE))


def test_polygons_of_flipped_and_resized_images_are_drawn_where_their_corners_come_to_lie() -> None:
    """detectron2 resizes, then flips (fvcore's transforms): x to w' − x · w' / w, y to y · h' / h."""
    corners = outline(50, 60, 30, 20)
    image, objects = flipped(torch.zeros(3, 100, 120), target(written(corners)))
    images, [objects] = ReferenceTransform(150, 400, [0.0] * 3, [1.0] * 3, 2).eval()([image], [objects])
    height, width = images.image_sizes[0]
    moved = np.stack([width - corners[:, 0] * width / 120, corners[:, 1] * height / 100], axis=1)
    box = torch.tensor([[40.0, 45.5, 155.25, 120.0]])
    found = mask_targets(objects, box, torch.tensor([0]), SIDE)[0].numpy()
    assert (height, width) == (150, 180)
    np.testing.assert_array_equal(found, drawn([moved], box[0]))
    assert (found != found[:, ::-1]).mean() > 0.1


def test_run_lengths_stay_masks_of_pixels_beside_polygons() -> None:
    """Cut from the image's mask by ROIAlign; few cells differ from those of the polygon, all at the outline."""
    corners = outline(50, 60, 30, 20)
    [pixels] = coco_mask.frPyObjects(written(corners), 100, 120)
    [other] = coco_mask.frPyObjects(written(outline(90, 20, 10, 10)), 100, 120)
    objects = target(pixels, written(outline(60, 70, 10, 10)), other)
    found = mask_targets(objects, BOXES.repeat(3, 1), torch.tensor([0, 0, 1, 1, 2, 2]), SIDE)
    alone = {"masks": torch.from_numpy(coco_mask.decode(pixels))[None]}
    assert torch.equal(found[:2], mask_targets(alone, BOXES, torch.tensor([0, 0]), SIDE))
    for mask, box in zip(found[:2].numpy(), BOXES, strict=True):
        assert 0 < (mask != drawn([corners], box)).mean() < 0.03
    for mask, box in zip(found[2:4].numpy(), BOXES, strict=True):
        np.testing.assert_array_equal(mask, drawn([outline(60, 70, 10, 10)], box))
    assert not found[4:].any() and set(found.unique().tolist()) == {0, 1}


def test_cells_of_a_pixel_hold_that_pixel() -> None:
    pixels = torch.from_numpy((np.random.default_rng(0).random((1, 30, 40)) > 0.5).astype(np.uint8))
    found = mask_targets({"masks": pixels}, torch.tensor([[8.0, 5.0, 22.0, 19.0]]), torch.tensor([0]), SIDE)
    assert torch.equal(found, pixels[:, 5:19, 8:22].float())


def test_without_regions_there_are_no_masks() -> None:
    none, empty = torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
    assert mask_targets(target(written(outline(5, 5, 3, 3))), none, empty, SIDE).shape == (0, SIDE, SIDE)
