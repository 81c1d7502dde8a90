"""What the mask head of C4 learns: polygons drawn within regions, and masks of pixels cropped to them."""

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor
from torchvision.ops import roi_align

MASK_THRESHOLD = 0.5
"""From which share of a cell on an object belongs to it (detectron2, structures/masks.py, BitMasks.crop_and_resize)."""

SHORTEST = 0.1
"""To which the sides of a box are lengthened before it is divided into cells, pixels (same file,
rasterize_polygons_within_box)."""


def mask_targets(target: dict[str, Tensor], boxes: Tensor, which: Tensor, side: int) -> Tensor:
    """Masks within boxes as float [k, side, side] of 0 and 1.

    Args:
        target: the objects of an image: `outlines`, float64 [P, 4], of those with polygons (object, polygon, x, y in
            pixels), and `masks`, uint8 [n, H, W] of 0 and 1, of the others in their order. Without `outlines` none has.
        boxes: [k, 4], pixels.
        which: int64 [k], the object of each box.
        side: number of cells that a box is divided into, each way.
    """
    masks, outlines = target["masks"], target.get("outlines")
    if outlines is None or not len(outlines):
        return _cropped(masks, boxes, which, side)
    corners, objects = outlines.cpu().numpy(), which.cpu().numpy()
    with_polygons = np.unique(corners[:, 0])
    without = np.setdiff1d(np.arange(len(masks) + len(with_polygons)), with_polygons)
    [of_masks], [of_polygons] = np.where(np.isin(objects, without)), np.where(np.isin(objects, with_polygons))
    wanted = boxes.new_empty(len(boxes), side, side)
    rows = torch.from_numpy(np.searchsorted(without, objects[of_masks])).to(which)
    wanted[of_masks] = _cropped(masks, boxes[of_masks], rows, side)
    drawn = [
        _drawn(corners[corners[:, 0] == number, 1:], box, side)
        for number, box in zip(objects[of_polygons], boxes[of_polygons].float().cpu().numpy(), strict=True)
    ]
    wanted[of_polygons] = torch.from_numpy(np.reshape(drawn, (-1, side, side))).to(wanted)
    return wanted


def _cropped(masks: Tensor, boxes: Tensor, which: Tensor, side: int) -> Tensor:
    """Masks of pixels within boxes, by ROIAlign with half a pixel's shift."""
    places = torch.cat([which[:, None].to(boxes), boxes], dim=1)
    shares = roi_align(masks[:, None].to(boxes), places, side, sampling_ratio=0, aligned=True)
    return (shares[:, 0] >= MASK_THRESHOLD).to(boxes)


def _drawn(corners: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
    """The polygons of an object, [P, 3] (polygon, x, y), as seen in a box, drawn by pycocotools: uint8 [side, side]."""
    sides = np.maximum(box[2:] - box[:2], SHORTEST)
    within = (corners[:, 1:] - box[:2]) * (side / sides)
    polygons = [within[corners[:, 0] == part].flatten() for part in np.unique(corners[:, 0])]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, side, side)))
