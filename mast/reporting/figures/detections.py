"""Detected boxes and masks on test images, several runs side by side."""

from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from mast.errors import MastError
from mast.files import read_json, require_recorded, require_sha256
from mast.heif import open_image
from mast.orientation import orientation_of, placed
from mast.records import MetricsFile
from mast.reporting.read import Runs
from mast.reporting.style import COLOURS, WIDTH, empty_figure, figure_style, save_figure
from mast.results import DataFiles, metrics_of

SOURCE = {
    "shows": "detections",
    "reads": "detections",
    "about": (
        "Boxes and masks found on test images: of the first detection study that has all these runs, its first task."
    ),
    "caption": (
        "What the fine-tuned detectors of the first seed find on test images, which are chosen evenly among those with "
        "several objects, whatever is found on them. Of each image as many detections are drawn as it has objects, "
        "those of the highest scores. Boxes and labels: class and score. Filled: the predicted mask, where the "
        "protocol has masks. A detection is right if its box overlaps (IoU of 0.5 or more) an object of its class that "
        "no better-scored detection found."
    ),
}

ROWS = 4
"""Number of images shown."""

LETTERS = 6.5
"""Size of the labels, points."""

LEAST_OVERLAP = 0.5
"""IoU of boxes from which a detection of the right class counts as right."""

RIGHT, WRONG, TRUTH = COLOURS[0], COLOURS[1], COLOURS[2]
_DASHES = {RIGHT: "-", WRONG: (0, (3, 2)), TRUTH: "-"}

Objects = list[dict[str, Any]]


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw what the detectors of some runs find on test images, a row per image and a column per run.

    For each image, as many detections are drawn as it has objects, those with the highest scores, because the level of
    scores differs between detectors. The images are evenly spaced among those with several objects, regardless of the
    detections. Only the first seed is drawn.

    Args:
        runs: label → predictions of the first seed in COCO's result format, and the manifest of the prepared data.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    found = {label: _predictions(files[0]) for label, files in runs.items()}
    with figure_style():
        if not any(found.values()):
            save_figure(empty_figure("None of the detectors found anything."), output_stem)
            return
        data = DataFiles(next(iter(runs.values()))[1].parent)
        for file in (data.annotations("test"), data.images("test")):
            require_recorded(file, data.manifest)
        save_figure(_figure(data, read_json(data.annotations("test")), found), output_stem)


def _predictions(file: Path) -> Objects:
    """Read the detections, and compare them with their hash in the metrics file next to them."""
    metrics = metrics_of(file)
    if metrics.exists() and (recorded := (MetricsFile.read(metrics).details or {}).get("predictions_sha256")):
        require_sha256(file, recorded, metrics)
    return read_json(file)


def shown_images(coco: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return `count` images (or as many as there are), evenly spaced among those with two objects or more, else among
    all.
    """
    objects = Counter(annotation["image_id"] for annotation in coco["annotations"] if not annotation["iscrowd"])
    several = [image for image in coco["images"] if objects[image["id"]] > 1] or coco["images"]
    chosen = np.linspace(0, len(several) - 1, min(count, len(several))).astype(int)
    return [several[position] for position in chosen]


def right_detections(detections: Objects, annotations: Objects) -> list[bool]:
    """Return whether each detection finds an object: same class, enough overlap, and not found by a better-scored one.

    Args:
        detections: detections of one image, in the order of falling scores, with `bbox` [x, y, width, height] and
            `category_id`.
        annotations: objects of the same image, with the same keys.
    """
    if not detections or not annotations:
        return [False] * len(detections)
    boxes = [np.array([entry["bbox"] for entry in entries], float) for entries in (detections, annotations)]
    overlaps = coco_mask.iou(*boxes, [0] * len(annotations))
    free = np.ones(len(annotations), bool)
    right = []
    for detection, overlap in zip(detections, overlaps, strict=True):
        same = [annotation["category_id"] == detection["category_id"] for annotation in annotations]
        overlap = np.where(free & same, overlap, 0)
        right.append(bool(overlap.max() >= LEAST_OVERLAP))
        free[overlap.argmax()] &= not right[-1]
    return right


def _figure(data: DataFiles, coco: dict[str, Any], found: dict[str, Objects]) -> Figure:
    images = shown_images(coco, ROWS)
    names = {category["id"]: category["name"] for category in coco["categories"]}
    side = WIDTH / (1 + len(found))
    figure = Figure(figsize=(WIDTH, side * len(images) + 0.55))
    axes = figure.subplots(len(images), 1 + len(found), squeeze=False)
    for row, image in zip(axes, images, strict=True):
        pixels = _pixels(data, coco, image)
        truth = [entry for entry in _of_image(coco["annotations"], image) if not entry["iscrowd"]]
        unit = pixels.shape[1] / (72 * side)
        _draw(row[0], pixels, truth, [TRUTH] * len(truth), names, image, unit)
        for axis, detections in zip(row[1:], found.values(), strict=True):
            kept = sorted(_of_image(detections, image), key=lambda entry: -entry["score"])[: len(truth)]
            colours = [RIGHT if right else WRONG for right in right_detections(kept, truth)]
            _draw(axis, pixels, kept, colours, names, image, unit)
    for axis, title in zip(axes[0], ("annotated", *found), strict=True):
        axis.set_title(title, loc="center")
    legend = {
        TRUTH: "annotated",
        RIGHT: f"right class, box IoU ≥ {LEAST_OVERLAP:g}",
        WRONG: "wrong class, place, or found twice",
    }
    lines = [Line2D([], [], color=colour, linestyle=_DASHES[colour]) for colour in legend]
    title = "of each image as many detections as it has objects: those of the highest scores"
    figure.legend(lines, legend.values(), loc="outside lower center", ncols=3, title=title)
    return figure


def _of_image(entries: Objects, image: dict[str, Any]) -> Objects:
    return [entry for entry in entries if entry["image_id"] == image["id"]]


def _pixels(data: DataFiles, coco: dict[str, Any], image: dict[str, Any]) -> np.ndarray:
    if "images_root" not in coco:
        return np.load(data.images("test"), mmap_mode="r")[image["id"]]
    file = Path(coco["images_root"]) / image["file_name"]
    try:
        with open_image(file) as opened:
            orientation = orientation_of(opened)
            opened.load()
            pixels = placed(opened, opened.format, orientation, image.get("upright", False))
            if pixels.mode.startswith(("I", "F")):  # more than 8 bits: scaled from the darkest to the brightest pixel
                values = np.asarray(pixels, float)
                pixels = Image.fromarray(np.uint8(255 * (values - values.min()) / (np.ptp(values) or 1)))
            return np.asarray(pixels.convert("RGB"))
    except MemoryError:  # tells nothing about the file
        raise
    except Exception as error:  # Pillow's readers raise many kinds on damaged files
        reason = " ".join(str(error).split())
        raise MastError(f"{file}: cannot be read ({reason}); prepare the data again") from None


def _draw(
    axis: Axes,
    pixels: np.ndarray,
    objects: Objects,
    colours: list[str],
    names: dict[int, str],
    image: dict[str, Any],
    unit: float,
) -> None:
    """Draw an image in grey, so that colours show what is right or wrong, and its objects: box, mask, class, score."""
    axis.imshow(np.asarray(Image.fromarray(pixels).convert("L")), cmap="gray", vmin=-80, vmax=255, interpolation="none")
    axis.set(xlim=(-1, pixels.shape[1]), ylim=(pixels.shape[0], -1))
    axis.set_axis_off()
    index = COCO()
    index.imgs = {image["id"]: image}
    for entry, colour in zip(objects, colours, strict=True):
        x, y, width, height = entry["bbox"]
        outline = [effects.Stroke(linewidth=2.4, foreground="white"), effects.Normal()]
        box = Rectangle((x - 0.5, y - 0.5), width, height, fill=False, edgecolor=colour, linewidth=1.2)
        box.set(linestyle=_DASHES[colour], path_effects=outline)
        axis.add_patch(box)
        if "segmentation" in entry and (mask := index.annToMask(entry)).any():
            axis.contourf(mask, levels=[0.5, 1.5], colors=[colour], alpha=0.5)
    texts = [names[entry["category_id"]] + (f" {entry['score']:.2f}" if "score" in entry else "") for entry in objects]
    places = label_places([entry["bbox"] for entry in objects], texts, pixels.shape[1], pixels.shape[0], unit)
    for text, (x, y), colour in zip(texts, places, colours, strict=True):
        outline = [effects.Stroke(linewidth=1.8, foreground="white"), effects.Normal()]
        axis.text(x, y, text, ha="left", va="bottom", fontsize=LETTERS, color=colour, path_effects=outline)


def label_places(
    boxes: list[list[float]], texts: list[str], width: float, height: float, unit: float
) -> list[tuple[float, float]]:
    """Place labels at a corner of their box, outside or inside, so that they overlap as little as possible.

    Args:
        boxes: x, y, width, height each, pixels of an image.
        texts: text of each label, one for each box.
        width: width of the image.
        height: height of the image.
        unit: number of image pixels in a point of the page.

    Returns:
        The lower left corner of each label, in pixels; y grows downwards.
    """
    deep, placed, corners = 1.3 * LETTERS * unit, [], []
    for (x, y, box_width, box_depth), text in zip(boxes, texts, strict=True):
        wide = 0.62 * LETTERS * unit * len(text)
        left, right = x - 0.5, x - 0.5 + box_width - wide
        heights = (y - unit, y + box_depth + deep, y + deep + unit, y + box_depth - unit)  # above, below, in it twice
        candidates = [
            (min(max(corner, 0), width - wide), min(max(bottom, deep), height))
            for bottom in heights
            for corner in (left, right)
        ]
        covered = [sum(_shared(place, (wide, deep), *other) for other in placed) for place in candidates]
        best = candidates[int(np.argmin(covered))]
        placed.append((best, (wide, deep)))
        corners.append(best)
    return corners


def _shared(
    place: tuple[float, float], size: tuple[float, float], other: tuple[float, float], other_size: tuple[float, float]
) -> float:
    """Return the area that two labels share; a place is the lower left corner, a size is width and height."""
    across = min(place[0] + size[0], other[0] + other_size[0]) - max(place[0], other[0])
    down = min(place[1], other[1]) - max(place[1] - size[1], other[1] - other_size[1])
    return max(across, 0) * max(down, 0)
