"""`mast views` prepares the data it needs, draws, and reports errors."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mast.analysis import pairs
from mast.cli import main
from mast.config.pretrain import PretrainSpec
from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.shapes import ShapesData

CONFIG = """
name: views
results: {results}
datasets: {{shapes: {{kind: shapes, train: 12, test: 4, size: 16}}}}
pretrain: {{dataset: shapes}}
runs: {{vicreg: {{method: vicreg}}}}
seeds: [0]
protocols: {{knn: {{kind: knn}}}}
studies: {{knn: {{title: Neighbours, protocol: knn, tasks: [shapes], runs: [vicreg]}}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(results=tmp_path / "results"), encoding="utf-8")
    return path


def test_a_picture_is_drawn_before_anything_trains(config: Path, tmp_path: Path) -> None:
    picture = tmp_path / "views.png"
    assert main(["views", str(config), "--run", "vicreg", "-o", str(picture)]) == 0
    with Image.open(picture) as image:
        assert image.getextrema() != ((255, 255),) * 4
    assert not (tmp_path / "results").exists(), "the workflow prepares data itself, and knows of what it prepared"


def test_images_are_those_of_the_configuration_as_it_is_now(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides: list[int] = []
    sample = pairs.sample_pairs

    def noted(spec: PretrainSpec, data: PreparedData, seed: int) -> dict[str, np.ndarray]:
        sides.append(data.images("train").shape[1])
        return sample(spec, data, seed)

    monkeypatch.setattr(pairs, "sample_pairs", noted)
    prepare("shapes", ShapesData(kind="shapes", train=12, test=4, size=16), tmp_path / "results" / "data" / "shapes")
    for size in (16, 24):
        config.write_text(config.read_text().replace("size: 16", f"size: {size}"))
        assert main(["views", str(config), "--run", "vicreg", "-o", str(tmp_path / "views.png")]) == 0
    assert sides == [16, 24]
    assert open_prepared(tmp_path / "results" / "data" / "shapes").images("train").shape[1] == 16, "left as it was"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "vicrg"], "--run: 'vicrg' is not in the configuration; did you mean 'vicreg'"),
        (["--run", "vicreg", "-o", "v.jpg"], "--output: v.jpg does not end with .png"),
    ],
)
def test_wrong_options_are_named(
    config: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["views", str(config), *arguments]) == 2
    assert message in capsys.readouterr().err
