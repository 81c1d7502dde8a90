"""The labelled images of `semi-*` are those named by a published list."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mast.config.experiment import Experiment
from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.folder import FolderData
from mast.errors import MastError
from mast.evaluation.run import evaluate_encoder
from mast.evaluation.subset_list import listed_positions
from mast.files import sha256_file
from mast.models.encoder import build_encoder
from mast.models.encoder_file import save_encoder
from mast.models.settings import EncoderSpec
from mast.preflight.experiment import check_experiment
from mast.preflight.standing import files_state
from mast.protocols._semi import subset_hash
from mast.protocols.semi_1 import Semi1Protocol
from mast.settings import parse

NAMES = [f"n0{label}_{number}.JPEG" for label in (1, 2) for number in range(6)]
"""Names of the training images, in the order of their paths, which is the order of the positions."""


def prepared(folder: Path, storage: str = "index") -> PreparedData:
    """Two classes of six images to train on and two to test on, named as ImageNet names them."""
    for split, count in (("train", 6), ("test", 2)):
        for label in (1, 2):
            (folder / f"images/{split}/n0{label}").mkdir(parents=True, exist_ok=True)
            for number in range(count):
                file = folder / f"images/{split}/n0{label}/n0{label}_{number}.JPEG"
                Image.new("RGB", (12, 9), (100 * label, 10 * number, 0)).save(file, "JPEG")
    prepare("toy", FolderData(kind="folder", root=str(folder / "images"), size=8, storage=storage), folder / "data")
    return open_prepared(folder / "data")


def write(file: Path, lines: list[str]) -> Path:
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def experiment(data: dict[str, Any], file: str, **more: Any) -> Experiment:
    values = {
        "datasets": {"toy": data},
        "runs": {"untrained": {"method": "untrained", "dataset": "toy"}},
        "protocols": {"semi": {"kind": "semi-1", "batch_size": 2, "subset_list": file}},
        "studies": {"semi": {"title": "Semi", "protocol": "semi", "tasks": ["toy"], "runs": ["untrained"]}},
    }
    return parse(Experiment, {"name": "x", "results": "r", **values, **more}, "test")


@pytest.mark.parametrize("folder", ["", "n01/", "train/x/"])
def test_names_become_positions(folder: str, tmp_path: Path) -> None:
    chosen = [7, 0, 10, 3]
    listed = write(tmp_path / "list.txt", [folder + NAMES[position] for position in chosen] + [""])
    assert listed_positions(listed, prepared(tmp_path)).tolist() == sorted(chosen)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [NAMES[0], "n09_1.JPEG", "n08_1.JPEG"],
            r"'n08_1\.JPEG' is no training image .* \(2 of 3 names are not\)",
        ),
        ([NAMES[0], NAMES[0]], "1 names are repeated"),
        ([" "], "names no image"),
    ],
)
def test_a_list_that_does_not_fit_is_one_line(lines: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(MastError, match=rf"list\.txt: .*{message}") as error:
        listed_positions(write(tmp_path / "list.txt", lines), prepared(tmp_path))
    assert "\n" not in str(error.value)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(MastError, match=r"none\.txt: cannot be read \(No such file or directory\); subset_list names"):
        listed_positions(tmp_path / "none.txt", prepared(tmp_path))


def test_a_name_that_two_images_have_is_refused(tmp_path: Path) -> None:
    prepared(tmp_path)
    (tmp_path / "images/train/n02" / NAMES[0]).write_bytes((tmp_path / "images/train/n01" / NAMES[0]).read_bytes())
    with pytest.raises(MastError, match=f"{NAMES[0]}' is the name of several training images"):
        listed_positions(write(tmp_path / "list.txt", NAMES[:1]), prepared(tmp_path))


def test_such_a_name_that_is_no_utf_8_is_shown(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff.jpg\n")
    task = SimpleNamespace(name="toy", paths=lambda split: [b"a/\xff.jpg", b"b/\xff.jpg"])
    with pytest.raises(MastError, match=r"'\uFFFD\.jpg' is the name of several training images"):
        listed_positions(tmp_path / "list.txt", task)


def test_prepared_arrays_keep_no_names(tmp_path: Path) -> None:
    with pytest.raises(MastError, match="'toy' keeps no file names; set its storage to index"):
        listed_positions(write(tmp_path / "list.txt", NAMES[:1]), prepared(tmp_path, "arrays"))


def test_a_list_and_a_validation_split_are_refused() -> None:
    with pytest.raises(MastError, match="subset_list: names validation images too; set split to test"):
        parse(Semi1Protocol, {"kind": "semi-1", "subset_list": "x.txt", "split": "val"}, "test")


@pytest.mark.parametrize(
    ("file", "storage", "message"),
    [
        (
            "none.txt",
            "index",
            r"protocols\.semi\.subset_list: none\.txt: no such file; SimCLR's lists are https://raw\.",
        ),
        ("list.txt", "arrays", r"protocols\.semi\.subset_list: 'toy' keeps no file names; choose data with"),
    ],
)
def test_a_list_that_cannot_be_used_is_found_when_the_workflow_is_planned(
    file: str, storage: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path)
    write(tmp_path / "list.txt", NAMES[:2])
    monkeypatch.chdir(tmp_path)
    data = {"kind": "folder", "root": "images", "size": 8, "storage": storage}
    with pytest.raises(MastError, match=message):
        check_experiment(experiment(data, file))
    check_experiment(experiment(data | {"root": "elsewhere"}, "none.txt"), anywhere=True)


def test_a_list_that_names_images_that_imagenet_lacks_is_found_before_it_is_prepared(tmp_path: Path) -> None:
    """Otherwise weeks of training would pass before the evaluation finds it."""
    for split in ("train", "val"):
        for label in (1, 2):
            (tmp_path / f"imagenet/{split}/n0{label}").mkdir(parents=True)
            for number in range(3):
                file = tmp_path / f"imagenet/{split}/n0{label}/n0{label}_{number}.JPEG"
                Image.new("RGB", (12, 9), (100 * label, 10 * number, 0)).save(file, "JPEG")
    data = {"kind": "public", "source": "imagenet", "root": "imagenet", "size": 8, "storage": "index", "verify": False}
    write(tmp_path / "list.txt", ["n01_0.JPEG", "n02_2.JPEG", "n02_9.JPEG"])
    with pytest.raises(MastError, match=r"list\.txt: 'n02_9\.JPEG' is no training image of 'toy' \(1 of 3 names"):
        check_experiment(experiment(data, "list.txt", data_root=str(tmp_path)))
    write(tmp_path / "list.txt", ["n01_0.JPEG", "n02_2.JPEG"])
    check_experiment(experiment(data, "list.txt", data_root=str(tmp_path)))


def test_fine_tuning_takes_the_images_of_the_list(tmp_path: Path) -> None:
    prepared(tmp_path)
    encoder = EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 4, 4, 4))
    metadata = {"run": "r", "dataset": "d", "seed": "0", "encoder": encoder.model_dump_json(), "spec_sha256": "1" * 64}
    metadata |= {"mean": "[0.5, 0.5, 0.5]", "std": "[0.25, 0.25, 0.25]", "data_sha256": "2" * 64}
    save_encoder(tmp_path / "encoder.safetensors", build_encoder(encoder), metadata)
    chosen = [1, 4, 6, 11]
    listed = write(tmp_path / "list.txt", [NAMES[position] for position in reversed(chosen)])
    spec = Semi1Protocol(kind="semi-1", epochs=1, batch_size=4, subset_list=str(listed))
    evaluate_encoder("semi-1", spec, tmp_path / "encoder.safetensors", tmp_path / "data", tmp_path / "m.json")
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["details"]["labelled"] == {"class": {"count": 4, "sha256": subset_hash(np.array(chosen))}}
    assert found["details"]["files"] == {str(listed): sha256_file(listed)}
    state = files_state([str(listed)], tmp_path / "m.json")
    assert files_state([str(listed)], tmp_path / "m.json", ["'{}'", "2"]) is None, "remembered without"
    assert files_state([str(listed)], tmp_path / "m.json", ["2", str(state)]) == state
    assert state == files_state([str(listed)], tmp_path / "absent.json") == [sha256_file(listed)]
    os.utime(write(listed, [NAMES[0]]), ns=(1, 1))
    assert files_state([str(listed)], tmp_path / "m.json") != state
    assert files_state([str(listed)], tmp_path / "m.json", ["2"]) == [sha256_file(listed)]
    del found["details"]["files"]  # as earlier versions wrote it
    (tmp_path / "m.json").write_text(json.dumps(found))
    assert files_state([str(listed)], tmp_path / "m.json") is None
