"""Small prepared datasets and an encoder file, for parts that run the package's commands."""

from pathlib import Path

from mast.data.prepare import prepare
from mast.data.readers.shapes import ShapesData
from mast.data.readers.shapes_scenes import ScenesData
from mast.models.encoder import build_encoder
from mast.models.encoder_file import save_encoder
from mast.models.settings import EncoderSpec
from mast.records import EncoderMetadata


def shapes(folder: Path, train: int, test: int, seed: int = 0) -> Path:
    """Prepare single glyphs of 32 pixels."""
    prepare("shapes", ShapesData(kind="shapes", train=train, test=test, seed=seed), folder / "shapes")
    return folder / "shapes"


def scenes(folder: Path, train: int, test: int) -> Path:
    """Prepare scenes of several glyphs."""
    prepare("scenes", ScenesData(kind="shapes-scenes", train=train, test=test), folder / "scenes")
    return folder / "scenes"


def encoder_file(folder: Path, encoder: dict[str, object]) -> Path:
    """Write an encoder as it is initialised to a file."""
    spec = EncoderSpec(**encoder)
    metadata = EncoderMetadata(
        **{"run": "check", "dataset": "shapes", "seed": 0, "encoder": spec.model_dump_json()},
        **{"mean": [0.5] * 3, "std": [0.25] * 3, "spec_sha256": "0" * 64, "data_sha256": "0" * 64},
    )
    save_encoder(folder / "encoder.safetensors", build_encoder(spec), metadata.strings())
    return folder / "encoder.safetensors"
