"""Images that these tests train on."""

from pathlib import Path

import pytest

from mast.data.prepare import prepare
from mast.data.readers.shapes import ShapesData


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """52 prepared training images of 16 pixels."""
    path = tmp_path_factory.mktemp("data") / "shapes"
    prepare("shapes", ShapesData(kind="shapes", train=52, test=10, size=16), path)
    return path
