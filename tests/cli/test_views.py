"""`mast views` prepares what it needs, draws, and names what is wrong."""

from pathlib import Path

import pytest
from PIL import Image

from mast.cli import main
from mast.data.prepared.store import open_prepared

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
    assert (tmp_path / "results" / "data" / "shapes" / "manifest.json").exists()
    assert not (tmp_path / "results" / "pretrain").exists()


def test_images_are_those_of_the_configuration_as_it_is_now(config: Path, tmp_path: Path) -> None:
    for size in (16, 24):
        config.write_text(config.read_text().replace("size: 16", f"size: {size}"))
        assert main(["views", str(config), "--run", "vicreg", "-o", str(tmp_path / "views.png")]) == 0
        assert open_prepared(tmp_path / "results" / "data" / "shapes").images("train").shape[1] == size


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
