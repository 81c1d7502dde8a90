"""Every figure can be drawn from made-up files."""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mast.columns import ANALYSIS_COLUMNS
from mast.config.figures import FIGURES
from mast.errors import MastError
from mast.reporting.figures import load
from mast.reporting.figures.certainty import grid
from mast.reporting.figures.clusters import merges
from mast.reporting.figures.masks import sorted_dimensions
from mast.reporting.read import over_seeds, read_metrics_log
from mast.reporting.style import line_styles
from mast.reporting.tables.lines import ComparisonLine, TableLine

AUGMENTATIONS = ("crop", "flip", "jitter")


BOOTSTRAP = ("bootstrap_low", "bootstrap_high")
SETTINGS = tuple(source.setting for source in FIGURES.values() if source.setting)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, dict[str, list[Path]]]:
    """Figure name → label → files of two seeds; VICReg's are empty."""
    rng = np.random.default_rng(0)
    files = {}
    for label in ("MAST", "VICReg"):
        written = [_write(tmp_path / label / str(seed), rng, label == "MAST") for seed in (0, 1)]
        for name, source in FIGURES.items():
            files.setdefault(name, {})[label] = [own[source.reads] for own in written if source.reads in own]
        files["detections"][label] = _detections(tmp_path, label)
    return files


def _write(folder: Path, rng: np.random.Generator, full: bool) -> dict[str, Path]:
    """Write everything that a figure may read, by its name there."""
    folder.mkdir(parents=True)
    masks = rng.random((3, 20))
    cosine = np.abs(np.corrcoef(masks))
    pairs = [(i, j) for i in range(3) for j in range(3)]
    shown = ("task", "target", "metric")
    shapes = [("shapes", target, "top1") for target in ("hue", "size")]
    rows = {
        "masks": [(a, j, masks[k, j]) for k, a in enumerate(AUGMENTATIONS) for j in range(20)],
        "overlap": [(AUGMENTATIONS[i], AUGMENTATIONS[j], cosine[i, j], cosine[i, j] / 2, 0.9, 0.4) for i, j in pairs],
        "subspaces": [(a, 9.0, *(5.0, 3.0, 1.0, 0.5) * 2) for a in AUGMENTATIONS],
        "uncertainty": [(a, s, rng.random(), 0.1, 512) for a in AUGMENTATIONS for s in (0, 0.5, 1)],
        "difficulty": [(g, a, 0.2, 0.1, 0.3, 512) for g in ("strength", "error") for a in AUGMENTATIONS],
        "invariance": [
            (a, s, rng.random(), 1.0, rng.random(), 0.5 if a == s else np.nan, 512)
            for a in AUGMENTATIONS
            for s in ("features", *AUGMENTATIONS)
        ],
        "retrieval": [(r, 512, 99 * rng.random()) for r in ("embedding", "features", "pixels", "colour")],
        "table": [
            (*column, run, names, epochs, 50 + 9 * rng.random(), 3.0)
            for column in shapes
            for run in ("A", "B")
            for names, epochs in (("crop", "–"), ("crop+flip", 5), ("mast5", 9))
        ],
        "comparison": [(*column, "V", "M", 0.5, -1.0, 2.0, -0.5, 1.5) for column in shapes],
    }
    columns = ANALYSIS_COLUMNS | {
        "table": (*shown, "label", "policy.augmentations", "epochs", "mean", "interval"),
        "comparison": (*shown, "baseline_label", "label", "difference", "low", "high", *BOOTSTRAP),
    }
    every = {"table": [*TableLine._fields, *SETTINGS], "comparison": ComparisonLine._fields}
    for name, own in rows.items():
        frame = pd.DataFrame(own if full else [], columns=list(columns[name]))
        frame.reindex(columns=every.get(name, frame.columns)).to_csv(folder / f"{name}.csv", index=False)
    ends = {"images": rng.integers(0, 256, (2, 6 * full, 8, 8, 3), np.uint8), "sigma": rng.random((2, 6 * full))}
    np.savez(folder / "extremes.npz", **ends)
    views = {name: rng.integers(0, 256, (3 * full, 8, 8, 3), np.uint8) for name in ("images", "a", "b")}
    np.savez(folder / "pairs.npz", **views, active=rng.random((3 * full, 2)) < 0.5, names=np.array(["crop", "flip"]))
    lines = [{"step": step, "loss": 9 / (step + 1), "invariance": rng.random()} for step in range(0, 50, 10)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tables = {name: folder / f"{name}.csv" for name in rows}
    arrays = {name: folder / f"{name}.npz" for name in ("extremes", "pairs")}
    return tables | arrays | {"log": folder / "metrics.jsonl"}


def _detections(path: Path, label: str) -> list[Path]:
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
def test_figures_are_written_and_reproducible(
    name: str, inputs: dict[str, dict[str, list[Path]]], tmp_path: Path
) -> None:
    first, second = tmp_path / "first" / name, tmp_path / "second" / name
    load(name)(inputs[name], first)
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "another"}):  # a user's own settings change nothing
        load(name)(inputs[name], second)
    for suffix in (".svg", ".png"):
        assert first.with_suffix(suffix).read_bytes() == second.with_suffix(suffix).read_bytes()
    assert "<svg" in first.with_suffix(".svg").read_text()
    assert "<dc:date>" not in first.with_suffix(".svg").read_text()
    with Image.open(first.with_suffix(".png")) as image:
        assert image.width == 1280
        assert len(image.convert("RGB").getcolors(1 << 24)) > 10


@pytest.mark.parametrize("name", FIGURES)
def test_figure_without_data_says_so(name: str, inputs: dict[str, dict[str, list[Path]]], tmp_path: Path) -> None:
    runs = {"VICReg": inputs[name]["VICReg"]}
    if name == "losses":
        for path in runs["VICReg"]:
            path.write_text("")
    load(name)(runs, tmp_path / name)
    assert (tmp_path / f"{name}.svg").stat().st_size > 0
    with Image.open(tmp_path / f"{name}.png") as image:
        assert image.height < 300


@pytest.mark.parametrize("name", FIGURES)
def test_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(MastError, match=r"absent\.file"):
        load(name)({"a": [tmp_path / "absent.file"]}, tmp_path / "f")


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"losses", "detections", "certainty", "views"}))  # read no CSV
def test_missing_column_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text("x,y\n1,2\n")
    with pytest.raises(MastError, match=r"wrong\.csv: no column"):
        load(name)({"a": [path]}, tmp_path / "f")


def test_log_cut_short_is_read_and_damaged_one_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 0, "loss": 2.0}\n{"step": 10, "loss": 1.0}\n{"step": 20, "lo')
    assert read_metrics_log(path)["step"].tolist() == [0, 10]
    path.write_text('{"step": 0}\nrubbish\n{"step": 20}\n')
    with pytest.raises(MastError, match="line 2"):
        read_metrics_log(path)


def test_average_over_seeds_by_hand() -> None:
    frames = [
        pd.DataFrame({"step": [0, 10, 20], "loss": [4.0, 3.0, 2.0]}),
        pd.DataFrame({"step": [0, 10], "loss": [2.0, 5.0]}),
    ]
    curve = over_seeds(frames, "step", "loss")
    assert curve.index.tolist() == [0, 10]
    assert curve.to_numpy().tolist() == [[3.0, 2.0, 4.0], [4.0, 3.0, 5.0]]
    assert len(over_seeds(frames, "step", "absent")) == 0


def test_dimensions_are_sorted_by_the_mask_that_closes_them() -> None:
    weights = np.array([[0.9, 0.1, 0.9, 0.5], [0.2, 0.8, 0.6, 0.9]])
    assert sorted_dimensions(weights).tolist() == [[0.5, 0.1, 0.9, 0.9], [0.9, 0.8, 0.6, 0.2]]


def test_lines_differ() -> None:
    assert len({tuple(style.values()) for style in line_styles(28)}) == 28


def test_augmentations_that_share_most_are_merged_first_by_hand() -> None:
    overlap = pd.DataFrame([[1, 0.9, 0.2], [0.9, 1, 0.4], [0.2, 0.4, 1]], index=list("abc"), columns=list("abc"))
    tree = merges(overlap)
    assert sorted(tree[0, :2]) == [0, 1]
    assert tree[:, 2].tolist() == pytest.approx([0.1, 0.7])  # then c, at the mean of 1 − 0.2 and 1 − 0.4


def test_images_stand_in_lines_of_four() -> None:
    images = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(2, 2).repeat(3, 3)
    picture = grid(images)
    assert picture.shape == (6, 12, 3)  # two lines of four, each image with a white line of one pixel
    assert picture[::3, ::3, 0].tolist() == [[0, 1, 2, 3], [4, 5, 255, 255]]
    assert (picture[2::3] == 255).all()


@pytest.mark.parametrize(("figure", "file"), [("certainty", "extremes.npz"), ("views", "pairs.npz")])
def test_damaged_images_are_named(tmp_path: Path, figure: str, file: str) -> None:
    path = tmp_path / file
    path.write_bytes(b"PK rubbish")
    with pytest.raises(MastError, match=rf"{file}: cannot be read"):
        load(figure)({"a": [path]}, tmp_path / "f")
