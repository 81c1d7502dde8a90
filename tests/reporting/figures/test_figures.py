import json

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mast.errors import MastError
from mast.reporting.figures import FIGURES
from mast.reporting.figures.certainty import grid
from mast.reporting.figures.clusters import merges
from mast.reporting.figures.differences import COLUMNS as DIFFERENCES
from mast.reporting.figures.masks import sorted_dimensions
from mast.reporting.read import over_seeds, read_metrics_log
from mast.reporting.style import line_styles

AUGMENTATIONS = ("crop", "flip", "jitter")


@pytest.fixture
def inputs(tmp_path):
    """Figure name → label → files of two seeds."""
    rng = np.random.default_rng(0)
    files = {name: {"MAST": [], "VICReg": []} for name in FIGURES}
    for label in ("MAST", "VICReg"):
        for seed in (0, 1):
            folder = tmp_path / label / str(seed)
            folder.mkdir(parents=True)
            masks = rng.random((3, 20))
            cosine = np.corrcoef(masks)
            tables = {
                "masks": [(a, j, masks[k, j]) for k, a in enumerate(AUGMENTATIONS) for j in range(20)],
                "overlap": [
                    (a, b, abs(cosine[i, j]), abs(cosine[i, j]) / 2)
                    for i, a in enumerate(AUGMENTATIONS)
                    for j, b in enumerate(AUGMENTATIONS)
                ],
                "uncertainty": [(a, s, rng.random(), 0.1, 512) for a in AUGMENTATIONS for s in (0, 0.5, 1)],
                "clusters": [(a, 9.0, 5.0, 3.0, 1.0) for a in AUGMENTATIONS],
                "motivation": [
                    ("shapes", target, "top1", run, names, 50 + 9 * rng.random(), 3.0)
                    for target in ("hue", "size")
                    for run in ("VICReg", "MAST")
                    for names in ("crop", "crop+flip")
                ],
                "length": [("shapes", "hue", "top1", run, e, 60.0, 3.0) for run in ("A", "B") for e in ("–", 5, 9)],
                "differences": [("shapes", t, "top1", "V", "M", 0.5, -1.0, 2.0, -0.5, 1.5) for t in ("hue", "size")],
                "difficulty": [(g, a, 0.2, 0.1, 0.3) for g in ("strength", "error") for a in AUGMENTATIONS],
                "invariance": [(a, s, rng.random()) for a in AUGMENTATIONS for s in ("features", *AUGMENTATIONS)],
                "retrieval": [(r, 512, 99 * rng.random()) for r in ("embedding", "features", "pixels", "colour")],
            }
            columns = {
                "masks": ("augmentation", "dimension", "weight"),
                "overlap": ("first", "second", "cosine", "soft_iou"),
                "uncertainty": ("augmentation", "strength", "uncertainty", "spread", "count"),
                "clusters": ("augmentation", "size", "common", "partly", "unique"),
                "motivation": ("task", "target", "metric", "label", "policy.augmentations", "mean", "interval"),
                "length": ("task", "target", "metric", "label", "epochs", "mean", "interval"),
                "differences": DIFFERENCES,
                "difficulty": ("against", "name", "correlation", "low", "high"),
                "invariance": ("augmentation", "space", "relative"),
                "retrieval": ("representation", "images", "top1"),
            }
            for name, rows in tables.items():
                frame = pd.DataFrame(rows if label == "MAST" else [], columns=list(columns[name]))
                frame.to_csv(folder / f"{name}.csv", index=False)
                files[name][label].append(folder / f"{name}.csv")
            count = 6 if label == "MAST" else 0
            ends = {"images": rng.integers(0, 256, (2, count, 8, 8, 3), np.uint8), "sigma": rng.random((2, count))}
            np.savez(folder / "extremes.npz", **ends)
            files["certainty"][label].append(folder / "extremes.npz")
            lines = [{"step": step, "loss": 9 / (step + 1), "invariance": rng.random()} for step in range(0, 50, 10)]
            (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            files["losses"][label].append(folder / "metrics.jsonl")
        files["detections"][label] = _detections(tmp_path, label)
    return files


def _detections(path, label):
    """Two images with two objects each, found by MAST alone."""
    objects = [
        {"id": i, "image_id": i // 2, "category_id": 1, "bbox": [3 + 9 * (i % 2), 4, 6, 7], "iscrowd": 0}
        for i in range(4)
    ]
    names = {"categories": [{"id": 1, "name": "cat"}], "images": [{"id": i, "width": 24, "height": 16} for i in (0, 1)]}
    (path / "test_annotations.json").write_text(json.dumps({**names, "annotations": objects}))
    np.save(path / "test_images.npy", np.full((2, 16, 24, 3), 128, np.uint8))
    polygon = [[3, 4, 9, 4, 9, 11, 3, 11]]
    found = [{**entry, "score": 0.9, "segmentation": polygon} for entry in objects if label == "MAST"]
    (path / f"{label}.predictions.json").write_text(json.dumps(found))
    return [path / f"{label}.predictions.json", path / "manifest.json"]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_written_and_reproducible(name, inputs, tmp_path):
    first, second = tmp_path / "first" / name, tmp_path / "second" / name
    FIGURES[name](inputs[name], first)
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "another"}):  # a user's own settings change nothing
        FIGURES[name](inputs[name], second)
    for suffix in (".svg", ".png"):
        assert first.with_suffix(suffix).read_bytes() == second.with_suffix(suffix).read_bytes()
    assert "<svg" in first.with_suffix(".svg").read_text()
    assert "<dc:date>" not in first.with_suffix(".svg").read_text()
    with Image.open(first.with_suffix(".png")) as image:
        assert image.width == 1280
        assert len(image.convert("RGB").getcolors(1 << 24)) > 10


@pytest.mark.parametrize("name", FIGURES)
def test_figure_without_data_says_so(name, inputs, tmp_path):
    runs = {"VICReg": inputs[name]["VICReg"]}
    if name == "losses":
        for path in runs["VICReg"]:
            path.write_text("")
    FIGURES[name](runs, tmp_path / name)
    assert (tmp_path / f"{name}.svg").stat().st_size > 0
    with Image.open(tmp_path / f"{name}.png") as image:
        assert image.height < 300


@pytest.mark.parametrize("name", FIGURES)
def test_missing_file_is_named(name, tmp_path):
    with pytest.raises(MastError, match=r"absent\.file"):
        FIGURES[name]({"a": [tmp_path / "absent.file"]}, tmp_path / "f")


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"losses", "detections", "certainty"}))
def test_missing_column_is_named(name, tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text("x,y\n1,2\n")
    with pytest.raises(MastError, match=r"wrong\.csv: no column"):
        FIGURES[name]({"a": [path]}, tmp_path / "f")


def test_log_cut_short_is_read_and_damaged_one_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 0, "loss": 2.0}\n{"step": 10, "loss": 1.0}\n{"step": 20, "lo')
    assert read_metrics_log(path)["step"].tolist() == [0, 10]
    path.write_text('{"step": 0}\nrubbish\n{"step": 20}\n')
    with pytest.raises(MastError, match="line 2"):
        read_metrics_log(path)


def test_average_over_seeds_by_hand():
    frames = [
        pd.DataFrame({"step": [0, 10, 20], "loss": [4.0, 3.0, 2.0]}),
        pd.DataFrame({"step": [0, 10], "loss": [2.0, 5.0]}),
    ]
    curve = over_seeds(frames, "step", "loss")
    assert curve.index.tolist() == [0, 10]
    assert curve.to_numpy().tolist() == [[3.0, 2.0, 4.0], [4.0, 3.0, 5.0]]
    assert len(over_seeds(frames, "step", "absent")) == 0


def test_dimensions_are_sorted_by_the_mask_that_closes_them():
    weights = np.array([[0.9, 0.1, 0.9, 0.5], [0.2, 0.8, 0.6, 0.9]])
    assert sorted_dimensions(weights).tolist() == [[0.5, 0.1, 0.9, 0.9], [0.9, 0.8, 0.6, 0.2]]


def test_lines_differ():
    assert len({tuple(style.values()) for style in line_styles(28)}) == 28


def test_augmentations_that_share_most_are_merged_first_by_hand():
    overlap = pd.DataFrame([[1, 0.9, 0.2], [0.9, 1, 0.4], [0.2, 0.4, 1]], index=list("abc"), columns=list("abc"))
    tree = merges(overlap)
    assert sorted(tree[0, :2]) == [0, 1]
    assert tree[:, 2].tolist() == pytest.approx([0.1, 0.7])  # then c, at the mean of 1 − 0.2 and 1 − 0.4


def test_images_stand_in_lines_of_four():
    images = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(2, 2).repeat(3, 3)
    picture = grid(images)
    assert picture.shape == (6, 12, 3)  # two lines of four, each image with a white line of one pixel
    assert picture[::3, ::3, 0].tolist() == [[0, 1, 2, 3], [4, 5, 255, 255]]
    assert (picture[2::3] == 255).all()


def test_damaged_images_are_named(tmp_path):
    path = tmp_path / "extremes.npz"
    path.write_bytes(b"PK rubbish")
    with pytest.raises(MastError, match=r"extremes\.npz: cannot be read"):
        FIGURES["certainty"]({"a": [path]}, tmp_path / "f")
