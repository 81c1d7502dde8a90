"""Prepared data are compared with their source files, for every kind that has some; `doctor` and `verify` report it."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from support.layouts import cifar10

from mast.cli import main
from mast.config.experiment import Experiment
from mast.data.prepare import prepare
from mast.preflight.standing import dependents, made_from, standing
from mast.records import Manifest
from mast.settings import parse


def picture(file: Path, colour: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (24, 20), (colour, 40, 90))
    image.putpixel((0, 0), (255, 255, 0))
    image.save(file)


def folder(root: Path) -> dict:
    for split in ("train", "test"):
        for name in ("a", "b"):
            for number in range(4):
                picture(root / split / name / f"{number}.png", 20 * number)
    return {"kind": "folder", "root": str(root), "size": 16}


def indexed(root: Path) -> dict:
    return folder(root) | {"storage": "index"}


def coco(root: Path) -> dict:
    for split in ("train", "test"):
        picture(root / split / "0.png", 100)
        box = {"bbox": [2, 2, 9, 9], "segmentation": [[2, 2, 11, 2, 11, 11, 2, 11]], "area": 81, "iscrowd": 0}
        values = {
            "images": [{"id": 0, "file_name": "0.png"}],
            "annotations": [{"id": 1, "image_id": 0, "category_id": 1, **box}],
            "categories": [{"id": 1, "name": "thing"}],
        }
        (root / f"{split}.json").write_text(json.dumps(values))
    places = {
        split: {"images": f"{root}/{split}", "annotations": f"{root}/{split}.json"} for split in ("train", "test")
    }
    return {"kind": "coco", **places}


def public(root: Path) -> dict:
    cifar10(root)
    return {"kind": "public", "source": "cifar10", "root": str(root), "size": 16, "verify": False}


def voc(root: Path) -> dict:
    size = "<size><width>24</width><height>20</height></size>"
    box = "<bndbox><xmin>3</xmin><ymin>3</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    for name, split in (("1", "trainval"), ("2", "trainval"), ("3", "test"), ("4", "test")):
        picture(root / f"VOC2007/JPEGImages/{name}.jpg", 30 * int(name))
        content = f"<annotation>{size}<object><name>ant</name>{box}</object></annotation>"
        for file, line in (
            (f"Annotations/{name}.xml", content),
            (f"ImageSets/Main/{split}.txt", name),
            (f"ImageSets/Main/ant_{split}.txt", f"{name} {1 if name in '13' else -1}"),
        ):
            (root / "VOC2007" / file).parent.mkdir(parents=True, exist_ok=True)
            with (root / "VOC2007" / file).open("a") as text:
                text.write(f"{line}\n")
    return {"kind": "voc", "root": str(root), "train": ["2007/trainval"], "classes": ["ant"]}


def table(root: Path) -> dict:
    for number in range(9):
        picture(root / f"{number}.png", 10 * number)
    (root / "list.csv").write_text("path,colour\n" + "".join(f"{number}.png,{number % 2}\n" for number in range(9)))
    return {"kind": "table", "root": str(root), "file": f"{root}/list.csv", "targets": ["colour"], "size": 16}


def unlabeled(root: Path) -> dict:
    return folder(root) | {"labels": "none"}


def voc_labels(root: Path) -> dict:
    return voc(root) | {"kind": "voc-labels", "size": 16}


def experiment(tmp_path: Path, spec: dict, **values: object) -> Experiment:
    config = {
        "results": str(tmp_path / "results"),
        "datasets": {"mine": spec, "shapes": {"kind": "shapes", "train": 30, "test": 10, "size": 16}},
        "runs": {"untrained": {"method": "untrained", "dataset": "shapes"}},
    }
    return parse(Experiment, config | values, "test")


def prepared(tmp_path: Path, spec: dict) -> Path:
    output = tmp_path / "results/data/mine"
    prepare("mine", experiment(tmp_path, spec).datasets["mine"], output)
    return output


def touch(file: Path) -> None:
    moment = file.stat().st_mtime_ns + 5_000_000_000
    os.utime(file, ns=(moment, moment))


def files(root: Path) -> Iterator[Path]:
    yield from sorted(file for file in root.rglob("*") if file.is_file())


@pytest.mark.parametrize("make", [folder, indexed, coco, voc, voc_labels, table, unlabeled, public])
def test_changes_of_files_are_noticed_and_times_alone_change_nothing(
    tmp_path: Path, make: Callable[[Path], dict]
) -> None:
    spec = make(tmp_path / "outside")
    output = prepared(tmp_path, spec)
    identity = Manifest.read(output / "manifest.json").sha256
    now = standing(experiment(tmp_path, spec), "mine")
    assert now.prepared and not now.due

    for file in files(tmp_path / "outside"):
        touch(file)
    now = standing(experiment(tmp_path, spec), "mine")
    assert now.due and now.same and now.reason
    assert not standing(experiment(tmp_path, spec, changed_data="ignore"), "mine").due
    prepare("mine", experiment(tmp_path, spec).datasets["mine"], output, reason=now.reason)
    again = standing(experiment(tmp_path, spec), "mine")
    assert not again.due and again.reason == now.reason
    assert Manifest.read(output / "manifest.json").sha256 == identity

    last = list(files(tmp_path / "outside"))[-1]
    last.write_bytes(last.read_bytes() + b" ")
    now = standing(experiment(tmp_path, spec), "mine")
    assert now.due and not now.same and last.name in str(now) and now.reason != again.reason


def test_the_reason_stays_while_files_go_on_changing(tmp_path: Path) -> None:
    """Between the plan and the start of the job, which may run in another process."""
    spec = folder(tmp_path / "outside")
    output = prepared(tmp_path, spec)
    reasons = []
    for number in (7, 8):
        picture(tmp_path / f"outside/train/a/{number}.png", number)
        reasons.append(standing(experiment(tmp_path, spec), "mine").reason)
    assert reasons[0] == reasons[1] != ""
    prepare("mine", experiment(tmp_path, spec).datasets["mine"], output, reason=reasons[0])
    now = standing(experiment(tmp_path, spec), "mine")
    assert not now.due and now.reason == reasons[0]
    picture(tmp_path / "outside/train/a/9.png", 9)
    assert standing(experiment(tmp_path, spec), "mine").reason not in ("", reasons[0])


def test_an_edit_that_describes_is_expected_to_change_nothing(tmp_path: Path) -> None:
    spec = folder(tmp_path / "outside")
    prepared(tmp_path, spec)
    for edit in ({"licence": "CC0"}, {"unreadable": "skip"}):
        now = standing(experiment(tmp_path, spec | edit), "mine")
        assert now.due and now.same and now.settings == tuple(edit)
    for edit in ({"size": 24}, {"split_seed": 1}, {"storage": "index"}):
        now = standing(experiment(tmp_path, spec | edit), "mine")
        assert now.due and not now.same and now.settings == tuple(edit)


@pytest.mark.parametrize("make", [folder, indexed])
@pytest.mark.parametrize("edit", [{"size": 24}, {"size": 224}, {"split_seed": 1}])
def test_what_another_setting_prepares_is_other_data(
    tmp_path: Path, make: Callable[[Path], dict], edit: dict[str, int]
) -> None:
    """Results are known by the identity of their data: where it stays, nothing runs again."""
    spec = make(tmp_path / "outside")
    identities = {Manifest.read(prepared(tmp_path, one) / "manifest.json").sha256 for one in (spec, spec | edit)}
    assert len(identities) == 2


def test_data_that_lie_elsewhere_now_are_the_same_if_their_files_are(tmp_path: Path) -> None:
    spec = folder(tmp_path / "outside")
    prepared(tmp_path, spec)
    (tmp_path / "outside").rename(tmp_path / "moved")
    moved = spec | {"root": str(tmp_path / "moved")}
    assert standing(experiment(tmp_path, moved), "mine").same
    picture(tmp_path / "moved/train/a/9.png", 3)
    assert not standing(experiment(tmp_path, moved), "mine").same


def test_images_that_stay_in_place_are_other_data_elsewhere(tmp_path: Path) -> None:
    prepared(tmp_path, coco(tmp_path / "outside"))
    (tmp_path / "outside").rename(tmp_path / "moved")
    splits = ("train", "test")
    root = tmp_path / "moved"
    moved = {split: {"images": f"{root}/{split}", "annotations": f"{root}/{split}.json"} for split in splits}
    now = standing(experiment(tmp_path, {"kind": "coco", **moved}), "mine")
    assert now.due and not now.same and now.settings == ("test", "train")


def test_sources_that_are_gone_are_not_missed(tmp_path: Path) -> None:
    spec = folder(tmp_path / "outside")
    prepared(tmp_path, spec)
    (tmp_path / "outside").rename(tmp_path / "away")
    assert not standing(experiment(tmp_path, spec), "mine").due


def test_data_of_an_earlier_version_are_taken_as_they_are(tmp_path: Path) -> None:
    spec = folder(tmp_path / "outside")
    (prepared(tmp_path, spec) / "sources.npz").unlink()
    picture(tmp_path / "outside/train/a/9.png", 3)
    now = standing(experiment(tmp_path, spec), "mine")
    assert not now.due and now.reason == ""
    assert standing(experiment(tmp_path, spec | {"licence": "CC0"}), "mine").same


def test_a_result_knows_the_data_that_it_was_made_from(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, folder(tmp_path / "outside")) / "manifest.json"
    record = tmp_path / "run.json"
    for value, same in ((Manifest.read(manifest).sha256, True), ("0" * 64, False)):
        record.write_text(json.dumps({"data_sha256": value}))
        assert made_from(record, manifest) is same
        record.write_text(json.dumps({"data_sha256": "0" * 64, "task_sha256": value}))
        assert made_from(record, manifest) is same
    record.write_text("no JSON")
    assert not made_from(record, manifest) and not made_from(tmp_path / "absent.npz", manifest)


def test_doctor_and_verify_say_what_has_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = folder(tmp_path / "outside")
    prepared(tmp_path, spec)
    config = tmp_path / "c.yaml"
    config.write_text(experiment(tmp_path, spec).model_dump_json(exclude_unset=True, exclude={"runs", "pretrain"}))
    values = json.loads(config.read_text())
    config.write_text(json.dumps(values | {"runs": {"untrained": {"method": "untrained", "dataset": "shapes"}}}))
    assert main(["doctor", str(config)]) == 0
    assert "ok      data      mine: prepared\n" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "results")]) == 0
    for number in range(40):
        picture(tmp_path / f"outside/train/zebra/{number}.png", number)
    capsys.readouterr()
    main(["doctor", str(config)])
    said = "40 files added (new folder: 'train/zebra')"
    assert f"note    data      mine: prepared, and since then {said}; " in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "results")]) == 1
    assert f"manifest.json: {said} since the data were prepared; " in capsys.readouterr().out


def test_what_depends_on_a_dataset_is_named(tmp_path: Path) -> None:
    study = {"title": "", "protocol": "knn", "tasks": ["shapes"], "runs": ["untrained"]}
    own = experiment(tmp_path, {"kind": "digits"}, protocols={"knn": {"kind": "knn"}}, studies={"near": study})
    assert dependents(own, "shapes") == "runs untrained; studies near"
    assert dependents(own, "mine") == "nothing"
