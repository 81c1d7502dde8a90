"""An exported encoder works in plain timm, torchvision and torch.hub, and gives features of a folder of images."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from support import ROOT
from support.records import hashed

from mast.cli import main
from mast.files import SEAL, sha256_json, write_sealed_json
from mast.models.encoder import build_encoder
from mast.models.encoder_file import load_encoder, save_encoder
from mast.models.settings import EncoderSpec
from mast.records import Manifest, MetricsFile

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
SIDE = 48
FILES, OTHER_FILES = ({"train_images.npy": digit * 64} for digit in "01")
SPECS = {
    "torchvision": EncoderSpec(name="resnet18"),
    "timm": EncoderSpec(name="timm/resnet10t"),
    "small": EncoderSpec(name="resnet18", stem="small"),
    "narrow": EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 8, 16, 16)),
}


def write_encoder(folder: Path, spec: EncoderSpec) -> Path:
    """An encoder file whose batch statistics are far from their initial values."""
    torch.manual_seed(0)
    model = build_encoder(spec)
    for name, statistic in model.named_buffers():
        if name.endswith("running_mean"):
            statistic.normal_(std=0.1)
    metadata = {"run": "mast", "dataset": "mine", "seed": "0", "encoder": spec.model_dump_json()}
    metadata |= {
        "mean": json.dumps(MEAN),
        "std": json.dumps(STD),
        "spec_sha256": hashed("spec"),
        "data_sha256": sha256_json(FILES),
    }
    save_encoder(folder / "encoder.safetensors", model, metadata)
    return folder / "encoder.safetensors"


def write_beside(folder: Path) -> tuple[Path, Path]:
    """The directory of the prepared data, and a metrics file."""
    Manifest(
        format=1,
        name="mine",
        spec={"size": SIDE},
        source="folder /data/mine",
        licence="CC BY 4.0",
        targets={},
        splits={"train": {"count": 321}},
        mean=MEAN,
        std=STD,
        files=FILES,
        sha256=sha256_json(FILES),
    ).write(folder / "data/manifest.json")
    MetricsFile(
        format=1,
        **{"protocol": "linear", "kind": "linear-lbfgs", "version": 1, "settings": {}},
        **{"task": "pets", "dataset": "mine", "run": "mast", "seed": 0},
        metrics={"class": {"top1": 71.25, "AP": None}},
        counts={"train": 321, "test": 10},
        **{key: hashed(key.removesuffix("_sha256")) for key in ("spec_sha256", "task_sha256", "encoder_sha256")},
        data_sha256=sha256_json(FILES),
        seconds=1.0,
    ).write(folder / "m.json")
    return folder / "data", folder / "m.json"


def export(folder: Path, spec: EncoderSpec) -> Path:
    encoder, (data, metrics) = write_encoder(folder, spec), write_beside(folder)
    names = ["--encoder", str(encoder), "--data", str(data), "--output", str(folder / "out")]
    assert main(["export", *names, str(metrics)]) == 0
    return folder / "out"


def some_images() -> torch.Tensor:
    return torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def assert_same_features(model: torch.nn.Module, folder: Path) -> None:
    expected = load_encoder(folder / "encoder.safetensors")[0](some_images())
    assert expected.std() > 1e-3
    torch.testing.assert_close(model.eval()(some_images()), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("library", SPECS)
def test_torch_hub_gives_the_same_features(library: str, tmp_path: Path) -> None:
    out = export(tmp_path, SPECS[library])
    assert_same_features(torch.hub.load(str(out), "encoder", source="local"), tmp_path)
    assert "mast" not in re.findall(r"^ *(?:import|from) (\w+)", (out / "hubconf.py").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_plain_timm_gives_the_same_features(library: str, tmp_path: Path) -> None:
    model = timm.create_model(f"local-dir:{export(tmp_path, SPECS[library])}", pretrained=True)
    assert_same_features(model, tmp_path)
    settings = timm.data.resolve_model_data_config(model)
    assert [list(settings[key]) for key in ("mean", "std", "input_size")] == [MEAN, STD, [3, SIDE, SIDE]]
    assert timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True, num_classes=7)(some_images()).shape == (
        3,
        7,
    )


def test_the_snippet_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/use/working.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    snippet = next(block for block in blocks if "load_state_dict" in block)
    path = re.search(r'load_file\("(.*?)"\)', snippet).group(1)
    (tmp_path / path).parent.mkdir(parents=True)
    write_encoder((tmp_path / path).parent, EncoderSpec(name="resnet50"))
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(snippet, found)
    assert_same_features(found["model"], (tmp_path / path).parent)


def test_weights_are_those_of_torchvision_by_name(tmp_path: Path) -> None:
    out = export(tmp_path, SPECS["torchvision"])
    model = torchvision.models.resnet18()
    model.fc = torch.nn.Identity()
    model.load_state_dict(load_file(out / "model.safetensors"), strict=True)
    assert_same_features(model, tmp_path)


def test_the_card_names_data_run_licence_and_metrics(tmp_path: Path) -> None:
    card = (export(tmp_path, SPECS["narrow"]) / "README.md").read_text(encoding="utf-8")
    for said in ("run mast, seed 0", "321 images: folder /data/mine", "CC BY 4.0", "| pets | class | linear"):
        assert said in card
    assert "top1 | 71.25 |" in card and "AP |" not in card
    assert "torch.hub.load" in card and "timm.create_model" not in card, "timm has no such architecture"


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("data/manifest.json", {"files": OTHER_FILES, "sha256": sha256_json(OTHER_FILES)}, "not the data on which"),
        ("m.json", {"spec_sha256": hashed("other")}, "metrics of 'pets' are of another encoder"),
    ],
)
def test_what_belongs_to_another_encoder_is_refused(
    file: str, change: dict, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder, (data, metrics) = write_encoder(tmp_path, SPECS["narrow"]), write_beside(tmp_path)
    content = json.loads((tmp_path / file).read_text())
    content.pop(SEAL, None)
    write_sealed_json(tmp_path / file, content | change)
    names = ["--encoder", str(encoder), "--data", str(data), "--output", str(tmp_path / "out")]
    assert main(["export", *names, str(metrics)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in ("b.png", "sub/a.png", "sub/deep/c.png"):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / name)
    (tmp_path / "pictures/notes.txt").write_text("no image")
    return tmp_path / "pictures"


def test_embedding_an_export_is_what_plain_timm_computes(pictures: Path, tmp_path: Path) -> None:
    out = export(tmp_path, SPECS["torchvision"])
    files = ["--images", str(pictures), "--output", str(tmp_path / "f.npz")]
    assert main(["embed", "--encoder", str(out), *files, "--gpus", "0"]) == 0
    found = np.load(tmp_path / "f.npz")
    assert found["files"].tolist() == ["b.png", "sub/a.png", "sub/deep/c.png"]
    model = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    images = torch.stack([transform(Image.open(pictures / name)) for name in found["files"]])
    with torch.no_grad():
        np.testing.assert_allclose(found["features"], model(images).numpy(), atol=1e-5, rtol=1e-5)
    same = ["--encoder", str(tmp_path / "encoder.safetensors"), "--size", str(SIDE)]
    assert main(["embed", *same, "--images", str(pictures), "--output", str(tmp_path / "g.npz"), "--gpus", "0"]) == 0
    assert np.array_equal(np.load(tmp_path / "g.npz")["features"], found["features"])


def test_parquet_holds_what_npz_holds(pictures: Path, tmp_path: Path) -> None:
    arguments = ["embed", "--encoder", str(write_encoder(tmp_path, SPECS["narrow"])), "--size", "32", "--gpus", "0"]
    for suffix in ("npz", "parquet"):
        assert main([*arguments, "--images", str(pictures), "--output", str(tmp_path / f"f.{suffix}")]) == 0
    arrays, table = np.load(tmp_path / "f.npz"), pd.read_parquet(tmp_path / "f.parquet")
    assert list(table.columns) == ["file", *(f"f{column}" for column in range(arrays["features"].shape[1]))]
    assert table["file"].tolist() == arrays["files"].tolist()
    features = table.drop(columns="file").to_numpy()
    assert features.dtype == np.float32 and np.array_equal(features, arrays["features"])


def test_parquet_without_pyarrow_is_one_line(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arguments = ["embed", "--encoder", str(write_encoder(tmp_path, SPECS["narrow"])), "--size", "32", "--gpus", "0"]
    assert main([*arguments, "--images", str(pictures), "--output", str(tmp_path / "f.parquet")]) == 2
    assert "f.parquet: Parquet needs pyarrow (pip install pyarrow); or write .npz\n" in capsys.readouterr().err
    assert not list(tmp_path.glob("*f.*"))


@pytest.mark.parametrize(
    ("images", "output", "size", "message"),
    [
        ("pictures", "f.npz", None, "--size: required with an encoder file"),
        ("pictures", "f.csv", "16", "use .npz or .parquet"),
        ("empty", "f.npz", "16", "no image in it"),
    ],
)
def test_bad_input_is_one_line(
    images: str,
    output: str,
    size: str | None,
    message: str,
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    encoder = write_encoder(tmp_path, SPECS["narrow"])
    arguments = ["--encoder", str(encoder), "--images", str(tmp_path / images), "--output", str(tmp_path / output)]
    assert main(["embed", *arguments, "--gpus", "0", *(["--size", size] if size else [])]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / output).exists()


def embedded(pictures: Path, folder: Path, *options: str) -> np.lib.npyio.NpzFile:
    arguments = ["embed", "--encoder", str(write_encoder(folder, SPECS["narrow"])), "--size", "32", "--gpus", "0"]
    assert main([*arguments, "--images", str(pictures), "--output", str(folder / "f.npz"), *options]) == 0
    return np.load(folder / "f.npz")


def test_images_are_found_as_in_prepared_folders(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Linked folders, too; what systems leave is passed over."""
    before = embedded(pictures, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "elsewhere/d.ppm")
    (pictures / "linked").symlink_to(tmp_path / "elsewhere")
    (pictures / "sub/up").symlink_to(pictures)
    (pictures / "a link").symlink_to(pictures / "sub")
    for junk in (".DS_Store", "sub/._a.png"):
        (pictures / junk).touch()
    found = embedded(pictures, tmp_path)
    assert found["files"].tolist() == ["b.png", "linked/d.ppm", "sub/a.png", "sub/deep/c.png"]
    np.testing.assert_allclose(found["features"][[0, 2, 3]], before["features"], atol=1e-5)
    assert "not of the layout): 3 (a link/, notes.txt, sub/up/)" in caplog.text


def test_unreadable_images_stop_or_are_skipped(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (pictures / "sub/a.png").write_bytes(b"")
    arguments = ["embed", "--encoder", str(write_encoder(tmp_path, SPECS["narrow"])), "--size", "32", "--gpus", "0"]
    output = ["--images", str(pictures), "--output", str(tmp_path / "f.npz")]
    assert main([*arguments, *output]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "sub/a.png: cannot be read as an image (empty)" in error and "or set --unreadable skip" in error
    assert embedded(pictures, tmp_path, "--unreadable", "skip")["files"].tolist() == ["b.png", "sub/deep/c.png"]
    assert "images skipped, which cannot be read: 1 (sub/a.png)" in caplog.text


def test_the_range_of_deep_images(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (SIDE, SIDE), dtype=np.uint16)
    Image.fromarray(values).save(pictures / "deep.png")
    Image.fromarray(np.rint(values / 4095 * 255).astype(np.uint8)).save(pictures / "same.png")
    found = embedded(pictures, tmp_path, "--range", "0,4095")
    files = found["files"].tolist()
    deep, same = (found["features"][files.index(name)] for name in ("deep.png", "same.png"))
    np.testing.assert_allclose(deep, same, atol=1e-5)
    arguments = ["--images", str(pictures), "--output", str(tmp_path / "g.npz"), "--gpus", "0"]
    assert main(["embed", "--encoder", str(tmp_path / "encoder.safetensors"), *arguments, "--range", "ful"]) == 2
    message = "mast: error: --range: Input should be 'full' or 'minmax' (got 'ful'); did you mean 'full'?\n"
    assert message in capsys.readouterr().err
