"""The embedded detection benchmark `shapes-scenes`: several glyphs on one grey background, without overlap.

An object's class is its glyph; colour, texture, size, facing and a small rotation are nuisance factors. Boxes and masks
are those of the drawn pixels.
"""

import math
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from mast.data.embedded.glyphs import GLYPHS, TEXTURES, Glyphs, backgrounds, coverage, finish, paint
from mast.data.embedded.shapes import MAX_ANGLE, TARGETS, glyph_colours, uniform_draws

VERSION = 1
"""Version of the generator. Scenes of one version never change."""

SIDE_RANGE: tuple[float, float] = (0.16, 0.36)
"""Range of an object's glyph side, as a share of the scene's side."""

TEXTURE_PERIOD = 1 / 24
"""Period of the textures, as a share of the scene's side."""

_STREAMS = {"train": 2, "test": 3}  # `shapes` draws from 0 and 1
_ATTEMPTS = 16
_EXTENT = np.cos(MAX_ANGLE) + np.sin(MAX_ANGLE)  # side of the box around a square rotated by MAX_ANGLE
_SCENE_DRAWS, _OBJECT_DRAWS = 6, 9


def render_scenes(
    count: int, size: int, max_objects: int, seed: int, split: str = "train"
) -> tuple[np.ndarray, dict[str, Any]]:
    """Draw the first `count` scenes of a split. Scene i depends on all arguments but `count`.

    A scene has 1 to `max_objects` objects; fewer than drawn if no free place is found.

    Returns:
        images uint8 [N, size, size, 3], and COCO instances, with boxes [x, y, width, height] in pixels and masks in
        run-length code; `images[i]["id"] == i`, categories are 1…8 in the order of GLYPHS.
    """
    scalars = _SCENE_DRAWS + max_objects * (_OBJECT_DRAWS + 2 * _ATTEMPTS)
    draws, noise = uniform_draws(seed, _STREAMS[split], range(count), scalars, size)
    objects = draws[:, _SCENE_DRAWS:].reshape(count, max_objects, -1)
    wanted = 1 + (draws[:, 0] * max_objects).astype(int)
    images = backgrounds(draws[:, 1:_SCENE_DRAWS], size)
    annotations: list[dict[str, Any]] = []
    for scene in range(count):
        placed, x, y, side = _place(objects[scene, : wanted[scene]], size)
        masks = _draw(images[scene : scene + 1], objects[scene, placed], x, y, side)
        categories = _classes(objects[scene, placed, 1], len(GLYPHS))
        annotations += _annotate(masks, categories, scene, first_id=len(annotations) + 1)
    coco = {
        "images": [{"id": i, "file_name": f"{i}", "width": size, "height": size} for i in range(count)],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(GLYPHS, 1)],
    }
    return finish(images, noise, np.full(count, 0.08)), coco


def _classes(draws: np.ndarray, classes: int) -> np.ndarray:
    return (draws * classes).astype(np.int64)


def _place(objects: np.ndarray, size: int) -> tuple[list[int], np.ndarray, np.ndarray, np.ndarray]:
    """Place objects one after the other, each at the first of its random places that touches no earlier object.

    Returns:
        which objects found a place, and their centres x, y and sides, pixels.
    """
    low, high = SIDE_RANGE
    sides = size * (low + (high - low) * objects[:, 0])
    placed: list[int] = []
    centres: list[np.ndarray] = []
    for index, (side, draws) in enumerate(zip(sides, objects, strict=True)):
        margin = side * _EXTENT / 2
        for place in draws[_OBJECT_DRAWS:].reshape(_ATTEMPTS, 2):
            centre = margin + place * (size - 2 * margin)
            apart = [
                np.abs(centre - other).max() > (side + sides[earlier]) * _EXTENT / 2
                for earlier, other in zip(placed, centres, strict=True)
            ]
            if all(apart):
                placed.append(index)
                centres.append(centre)
                break
    x, y = np.array(centres).T
    return placed, x, y, sides[placed]


def _draw(image: np.ndarray, objects: np.ndarray, x: np.ndarray, y: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Paint objects into one image, float [1, size, size, 3], in place; return their masks, bool [n, size, size]."""
    _, shape, hue, facing, texture, turn, phase, saturation, value = objects[:, :_OBJECT_DRAWS].T
    size = image.shape[1]
    patch = math.ceil(SIDE_RANGE[1] * size * _EXTENT) + 1
    left, top = (np.clip(np.floor(centre - patch / 2), 0, size - patch).astype(int) for centre in (x, y))
    glyphs = Glyphs(
        shape=_classes(shape, len(GLYPHS)),
        texture=_classes(texture, len(TEXTURES)),
        mirrored=facing >= 0.5,
        side=side,
        angle=MAX_ANGLE * (2 * turn - 1),
        x=x - left,
        y=y - top,
        phase=phase,
    )
    bright, dark = coverage(glyphs, patch, TEXTURE_PERIOD * size)
    colours = glyph_colours(_classes(hue, len(TARGETS["hue"])), saturation, value)
    masks = np.zeros((len(objects), size, size), bool)
    for index, mask in enumerate(masks):
        one = slice(index, index + 1)
        window = slice(top[index], top[index] + patch), slice(left[index], left[index] + patch)
        paint(image[:, *window], bright[one], dark[one], colours[one])
        mask[window] = bright[index] + dark[index] >= 0.5
    return masks


def _annotate(masks: np.ndarray, categories: np.ndarray, image_id: int, first_id: int) -> list[dict[str, Any]]:
    codes = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8)))
    return [
        {
            "id": first_id + index,
            "image_id": image_id,
            "category_id": int(category) + 1,
            "bbox": coco_mask.toBbox(code).tolist(),
            "area": int(coco_mask.area(code)),
            "segmentation": {"size": code["size"], "counts": code["counts"].decode("ascii")},
            "iscrowd": 0,
        }
        for index, (code, category) in enumerate(zip(codes, categories, strict=True))
    ]
