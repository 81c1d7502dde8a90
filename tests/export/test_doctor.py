"""`mast doctor`: what is missing is listed before a job is submitted."""

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import yaml

from mast.cli import doctor, main

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "config/smoke.yaml"


def changed(folder: Path, **values) -> str:
    """A copy of the smoke configuration with some keys replaced."""
    (folder / "own.yaml").write_text(yaml.safe_dump(yaml.safe_load(SMOKE.read_text()) | values))
    return str(folder / "own.yaml")


def test_the_embedded_experiment_lacks_nothing(capsys) -> None:
    assert main(["doctor", str(SMOKE)]) == 0
    assert capsys.readouterr().out.endswith("nothing is missing\n")


def test_data_are_named_with_their_address(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagenet/train").mkdir(parents=True)
    assert main(["doctor", str(ROOT / "config/paper/imagenet.yaml"), "--data-root", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    missing = [line.split(maxsplit=2)[2] for line in lines if line.startswith("missing")]
    assert f"imagenet: {tmp_path}/imagenet/val (https://image-net.org/download.php)" in missing
    assert f"voc0712: {tmp_path}/VOCdevkit/VOC2012/ImageSets/Main/trainval.txt" in missing
    assert f"coco: {tmp_path}/coco/val2017" in missing
    assert not any("imagenet/train" in line or "inat18" in line for line in missing), "there, and to be fetched"
    assert lines[-1] == f"{len(missing)} missing"


def test_a_full_disk_is_seen_with_both_sizes(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {"kind": "shapes", "train": 900, "test": 100, "size": 100}
    config = changed(tmp_path, datasets=yaml.safe_load(SMOKE.read_text())["datasets"] | {"shapes": shapes})
    free = namedtuple("Usage", "free")(29_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    assert main(["doctor", config]) == 1
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("missing")]
    assert "prepared images need 0.03 GB" in line and "has 0.03 GB free" in line


def test_gpus_are_counted_where_no_scheduler_gives_them(tmp_path: Path, capsys, monkeypatch) -> None:
    config = changed(tmp_path, resources={"pretrain": {"gpus": 64}})
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert main(["doctor", config]) == 1
    assert "pretrain asks for 64; this machine has" in capsys.readouterr().out
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/sbatch")
    assert main(["doctor", config]) == 0
    assert "SLURM gives them: pretrain 64" in capsys.readouterr().out


def test_packages_and_encoders(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor.metadata, "requires", lambda _: ["numpy>=2", "no-such-package>=1", "pyyaml<1", "x; extra == 'test'"]
    )
    config = changed(tmp_path, pretrain={"dataset": "shapes", "encoder": {"name": "timm/resnet19"}})
    assert main(["doctor", config]) == 1
    missing = [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines() if line.startswith("missing")]
    assert missing[0] == "no-such-package>=1: not installed"
    assert missing[1].startswith("pyyaml<1: ") and missing[1].endswith(" is installed")
    assert missing[2].startswith("encoder.name: timm has no model 'resnet19'; did you mean ")
    assert len(missing) == 3


def test_torch_is_not_imported_without_need() -> None:
    code = f"import sys; from mast.cli import main; main(['doctor', {str(SMOKE)!r}]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
