"""`mast doctor` lists what is missing before a job is submitted."""

import re
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import yaml
from support import ROOT

from mast.cli import main
from mast.preflight import doctor

VOC0712 = ((2007, "trainval"), (2012, "trainval"), (2007, "test"))
SMOKE = ROOT / "config/smoke.yaml"


def changed(folder: Path, **values: object) -> str:
    """A copy of the smoke configuration with some keys replaced."""
    (folder / "own.yaml").write_text(yaml.safe_dump(yaml.safe_load(SMOKE.read_text()) | values))
    return str(folder / "own.yaml")


def test_the_embedded_experiment_lacks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(SMOKE)]) == 0
    assert capsys.readouterr().out.endswith("nothing is missing\n")


def test_data_are_named_with_their_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagenet/train").mkdir(parents=True)
    assert main(["doctor", str(ROOT / "config/paper/imagenet.yaml"), "--data-root", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    missing = [line.split(maxsplit=2)[2] for line in lines if line.startswith("missing")]
    assert f"imagenet: {tmp_path}/imagenet/val (154.6 GB, https://image-net.org/download.php)" in missing
    lists = [f"{tmp_path}/VOCdevkit/VOC{year}/ImageSets/Main/{name}.txt" for year, name in VOC0712]
    assert f"voc0712: {', '.join(lists)}" in missing
    assert any(line.startswith("coco: ") and f"{tmp_path}/coco/val2017" in line for line in missing)
    assert any(line.endswith("inat18: will be fetched, 120 GB") for line in lines)
    assert lines[-1] == f"{len(missing)} missing"


def test_room_for_what_is_fetched_is_counted_once_for_each_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    public = {"kind": "public", "root": str(tmp_path / "new"), "size": 96, "download": True}
    named = {"labelled": "stl10", "unlabelled": "stl10-unlabeled", "sun397": "sun397", "cars": "cars"}
    datasets = {name: public | {"source": source} for name, source in named.items()}
    config = changed(tmp_path, datasets=yaml.safe_load(SMOKE.read_text())["datasets"] | datasets)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(90_000_000_000))
    assert main(["doctor", config]) == 1
    out = capsys.readouterr().out
    archives, prepared = 2.640 + 39.077, (13_000 + 105_000 + 39_700 + 16_185) * 96 * 96 * 3 / 1e9
    asked = re.search(
        r"^ok      disk +prepared images need ([\d.]+) GB and fetched data.* about ([\d.]+) GB;", out, re.M
    )
    assert float(asked[1]) == pytest.approx(prepared, abs=0.1) and float(asked[2]) == pytest.approx(
        2 * archives, abs=0.2
    )
    assert out.endswith("1 missing\n") and re.search(r"^missing data +cars: .*cars_test \(2 GB, https", out, re.M)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(87_000_000_000))
    assert main(["doctor", config]) == 1 and "missing disk" in capsys.readouterr().out


def test_a_list_of_labelled_images_is_looked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    semi = {"kind": "semi-1", "subset_list": str(tmp_path / "1percent.txt")}
    config = changed(tmp_path, protocols=yaml.safe_load(SMOKE.read_text())["protocols"] | {"semi-1": semi})
    assert main(["doctor", config]) == 1
    line = f"missing data      protocol semi-1: {tmp_path / '1percent.txt'} (SimCLR's lists are https://raw.githubusercontent.com/"
    assert line in capsys.readouterr().out
    (tmp_path / "1percent.txt").write_text("a.JPEG\n")
    assert main(["doctor", config]) == 0


def test_a_full_disk_is_seen_with_both_sizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = {"kind": "shapes", "train": 900, "test": 100, "size": 100}
    config = changed(tmp_path, datasets=yaml.safe_load(SMOKE.read_text())["datasets"] | {"shapes": shapes})
    free = namedtuple("Usage", "free")(29_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    assert main(["doctor", config]) == 1
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("missing")]
    assert "prepared images need 0.03 GB" in line and "has 0.03 GB free" in line


def test_gpus_are_counted_where_no_scheduler_gives_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = changed(tmp_path, resources={"pretrain": {"gpus": 64}})
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert main(["doctor", config]) == 1
    assert "pretrain asks for 64; this machine has" in capsys.readouterr().out
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/sbatch")
    assert main(["doctor", config]) == 0
    assert "SLURM gives them: pretrain 64" in capsys.readouterr().out


def test_packages_and_encoders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
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
