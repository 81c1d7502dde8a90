"""Errors that later stages would refuse are refused when the workflow is planned, and by `mast validate`."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from mast.cli import main
from mast.config.experiment import Experiment
from mast.data.prepare import prepare
from mast.errors import MastError
from mast.preflight.experiment import check_experiment
from mast.settings import parse

BASE: dict[str, Any] = {
    "datasets": {
        "shapes": {"kind": "shapes", "train": 30, "test": 10, "size": 16},
        "scenes": {"kind": "shapes-scenes", "train": 6, "test": 4, "size": 32},
    },
    "pretrain": {"dataset": "shapes", "batch_size": 8},
    "runs": {"one": {"method": "vicreg"}, "two": {"method": "mast"}},
    "protocols": {
        "knn": {"kind": "knn", "k": 2},
        "few": {"kind": "few-shot", "shots": 1, "queries": 1},
        "svm": {"kind": "svm-voc", "folds": 2},
        "boxes": {"kind": "detection", "batch_size": 2},
    },
    "studies": {
        "knn": {"title": "", "protocol": "knn", "tasks": ["shapes"], "runs": ["one", "two"]},
        "boxes": {"title": "", "protocol": "boxes", "tasks": ["scenes"], "runs": ["one"]},
    },
}


def experiment(tmp_path: Path, **changes: Any) -> Experiment:
    """The configuration above with values at dotted keys (`__` for the dot)."""
    values = copy.deepcopy(BASE) | {"results": str(tmp_path / "results")}
    for keys, value in changes.items():
        *path, last = keys.split("__")
        inner = values
        for key in path:
            inner = inner[key]
        inner[last] = value
    return parse(Experiment, values, "c.yaml")


def refused(tmp_path: Path, message: str, **changes: Any) -> None:
    with pytest.raises(MastError, match=message) as error:
        check_experiment(experiment(tmp_path, **changes))
    assert "\n" not in str(error.value)


def picture(file: Path, colour: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (20, 20), (colour, 90, 10))
    image.putpixel((3, 3), (200, 0, 255))
    image.save(file)


def coco(root: Path, masks: bool, images: int = 3) -> dict[str, Any]:
    for split in ("train", "test"):
        entries = []
        for number in range(images):
            picture(root / split / f"{number}.png")
            box = {"bbox": [1, 1, 8, 8], "area": 64, "iscrowd": 0}
            mask = {"segmentation": [[1, 1, 9, 1, 9, 9, 1, 9]]} if masks or number else {}
            entries.append({"id": number, "image_id": number, "category_id": 1, **box, **mask})
        content = {
            "images": [{"id": number, "file_name": f"{number}.png"} for number in range(images)],
            "annotations": entries,
            "categories": [{"id": 1, "name": "thing"}],
        }
        (root / f"{split}.json").write_text(json.dumps(content))
    places = {name: {"images": f"{root}/{name}", "annotations": f"{root}/{name}.json"} for name in ("train", "test")}
    return {"kind": "coco", **places}


def test_the_configuration_that_is_changed_below_is_a_good_one(tmp_path: Path) -> None:
    check_experiment(experiment(tmp_path))


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("studies__knn__tasks", ["shapes", "shapes"], r"^c\.yaml: studies\.knn\.tasks: 'shapes' is listed twice"),
        (
            "studies__knn__runs",
            ["one", "one"],
            r"^c\.yaml: studies\.knn\.runs: 'one' is listed twice; name it once$",
        ),
        ("studies__knn__settings", ["epochs", "epochs"], r"studies\.knn\.settings: 'epochs' is listed twice"),
        ("studies__knn__compare", {"baseline": "one", "runs": ["two", "two"]}, r"compare\.runs: 'two' is listed twice"),
        ("figures", {"losses": ["one", "one"]}, r"figures\.losses: 'one' is listed twice"),
        ("studies__knn_comparison", BASE["studies"]["knn"], None),
        ("studies__knn__metric", "top1", None),
        ("studies__boxes__metric", "top1", r"studies\.boxes\.metric: 'detection' does not measure top1; leave it out"),
        ("protocols__knn", BASE["protocols"]["svm"], None),
    ],
)
def test_what_a_configuration_contradicts_in_itself(tmp_path: Path, keys: str, value: Any, message: str | None) -> None:
    if message is None:
        experiment(tmp_path, **{keys: value})
        return
    with pytest.raises(MastError, match=message):
        experiment(tmp_path, **{keys: value})


@pytest.mark.parametrize(
    ("protocol", "metric", "fits"),
    [("few", "top1", True), ("few", "top5", False), ("few", "mean_per_class", False), ("svm", "top1", False)],
)
def test_a_metric_that_the_protocol_does_not_measure(tmp_path: Path, protocol: str, metric: str, fits: bool) -> None:
    study = {"title": "", "protocol": protocol, "tasks": ["shapes"], "runs": ["one"], "metric": metric}
    if fits:
        experiment(tmp_path, studies__knn=study)
        return
    with pytest.raises(MastError, match=rf"studies\.knn\.metric: '{BASE['protocols'][protocol]['kind']}' does not"):
        experiment(tmp_path, studies__knn=study)


def test_a_study_with_the_name_of_a_table_of_differences(tmp_path: Path) -> None:
    compared = BASE["studies"]["knn"] | {"compare": {"baseline": "one", "runs": ["two"]}}
    with pytest.raises(
        MastError, match=r"studies\.knn_comparison: the table of differences of study 'knn' has this na"
    ):
        experiment(tmp_path, studies__knn=compared, studies__knn_comparison=BASE["studies"]["knn"])


def test_image_sets_and_classes_that_stand_there_twice(tmp_path: Path) -> None:
    for key, value in (("train", ["2007/trainval", "2007/trainval"]), ("classes", ["cat", "cat"])):
        for kind in ("voc", "voc-labels"):
            with pytest.raises(MastError, match=rf"datasets\.more\.{key}: '.*' is listed twice"):
                experiment(tmp_path, datasets__more={"kind": kind, "root": "x", key: value})


@pytest.mark.parametrize("prepared", [False, True])
def test_masks_are_asked_for_where_there_are_some(tmp_path: Path, prepared: bool) -> None:
    def own(spec: dict[str, Any], where: Path) -> dict[str, Any]:
        changes = {"datasets__scenes": spec, "protocols__boxes__masks": True}
        if prepared:
            prepare("scenes", experiment(where, **changes).datasets["scenes"], where / "results/data/scenes")
        return changes

    with_masks = own(coco(tmp_path / "with", masks=True), tmp_path / "a")
    check_experiment(experiment(tmp_path / "a", **with_masks))
    without = own(coco(tmp_path / "without", masks=False), tmp_path / "b")
    refused(tmp_path / "b", r"protocols\.boxes\.masks: every object needs a mask, and 'scenes' has none for", **without)
    check_experiment(experiment(tmp_path / "b", **without | {"protocols__boxes__masks": False}))
    refused(
        tmp_path / "a",
        r"boxes\.batch_size: 4 is more than the 3 annotated",
        **with_masks,
        protocols__boxes__batch_size=4,
    )
    check_experiment(experiment(tmp_path / "c", protocols__boxes__masks=True))


def test_faulty_annotations_are_found_when_the_workflow_is_planned(tmp_path: Path) -> None:
    data = coco(tmp_path / "boxes", masks=True)
    (tmp_path / "boxes/test.json").write_text("[]")
    refused(tmp_path, r"^datasets\.scenes: .*test\.json: no list 'images'", datasets__scenes=data)


def test_voc_has_boxes_alone(tmp_path: Path) -> None:
    data = {"kind": "voc", "root": str(tmp_path)}
    refused(tmp_path, r"masks: .*'voc' hold boxes alone", datasets__scenes=data, protocols__boxes__masks=True)


def test_labels_are_asked_for_where_there_are_some(tmp_path: Path) -> None:
    for number in range(9):
        picture(tmp_path / f"flat/{number}.png", number)
    flat = {"kind": "folder", "root": str(tmp_path / "flat"), "size": 16}
    supervised = {"method": "supervised", "dataset": "flat", "batch_size": 4}
    message = r"runs\.one: the method needs labels, which 'flat' does not have; choose other data"
    refused(tmp_path, message, datasets__flat=flat, runs__one=supervised)
    prepare("flat", experiment(tmp_path, datasets__flat=flat).datasets["flat"], tmp_path / "results/data/flat")
    refused(tmp_path, message, datasets__flat=flat, runs__one=supervised)
    public = {"kind": "public", "root": str(tmp_path), "source": "stl10-unlabeled"}
    message = r"datasets\.shapes: is a task of a study, and stl10-unlabeled has neither labels nor a test split"
    refused(tmp_path, message, datasets__shapes=public)
    refused(tmp_path, r"runs\.one: the method needs labels", datasets__flat=public, runs__one=supervised)


def write_voc(root: Path, values: str = "-1 0 1 1 -1 1") -> dict[str, Any]:
    lists = root / "VOC2007/ImageSets/Main"
    lists.mkdir(parents=True)
    for split in ("trainval", "test"):
        lines = [f"{split}{number} {value}" for number, value in enumerate(values.split())]
        (lists / f"cat_{split}.txt").write_text("\n".join(lines))
        (lists / f"{split}.txt").write_text("\n".join(line.split()[0] for line in lines))
        for line in lines:
            picture(root / f"VOC2007/JPEGImages/{line.split()[0]}.jpg")
    return {"kind": "voc-labels", "root": str(root), "classes": ["cat"], "size": 16}


def test_labels_that_are_to_be_ignored_are_for_some_protocols_alone(tmp_path: Path) -> None:
    data = write_voc(tmp_path / "voc")
    refused(
        tmp_path, r"studies\.knn\.tasks: 'shapes' has images for .*label −1.* choose svm-voc", datasets__shapes=data
    )
    study = BASE["studies"]["knn"] | {"protocol": "svm"}
    supervised = {"method": "supervised", "dataset": "shapes", "batch_size": 2}
    fits = {"datasets__shapes": data, "studies__knn": study, "pretrain__batch_size": 2}
    check_experiment(experiment(tmp_path, **fits))
    refused(tmp_path, r"runs\.one: the method needs a label of every image", **fits, runs__one=supervised)
    refused(tmp_path, r"protocols\.svm\.folds: 3 is more than the 2", **fits, protocols__svm__folds=3)


def test_training_images_of_one_class(tmp_path: Path) -> None:
    data = write_voc(tmp_path / "voc", "1 1 1 1 1")
    refused(tmp_path, r"the training images of target 'cat' are of one class", datasets__shapes=data)


def test_top5_needs_more_than_five_classes(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in "ab":
            for number in range(4):
                picture(tmp_path / f"two/{split}/{name}/{number}.png")
    data = {"kind": "folder", "root": str(tmp_path / "two"), "size": 16}
    study = BASE["studies"]["knn"] | {"metric": "top5"}
    fits = {"datasets__shapes": data, "pretrain__batch_size": 2}
    refused(tmp_path, r"studies\.knn\.metric: top5 needs more than 5 classes", **fits, studies__knn=study)
    check_experiment(experiment(tmp_path, **fits, studies__knn=study | {"metric": "mean_per_class"}))


def test_top5_names_the_targets_with_too_few_classes(tmp_path: Path) -> None:
    classes = experiment(tmp_path).datasets["shapes"].known_labels.classes
    few = [target for target, count in classes.items() if count <= 5]
    assert few and len(few) < len(classes)
    study = BASE["studies"]["knn"] | {"metric": "top5"}
    message = f"needs more than 5 classes, which targets? {', '.join(map(repr, few))} of 'shapes'"
    refused(tmp_path, message, studies__knn=study)


def test_validation_images_are_left_out_where_they_are_scored(tmp_path: Path) -> None:
    knn = {"kind": "knn", "k": 25}
    check_experiment(experiment(tmp_path, protocols__knn=knn))
    message = r"protocols\.knn\.k: 25 is more than the 24 training images of 'shapes' \(without the validation images\)"
    refused(tmp_path, message, protocols__knn=knn | {"split": "val"})


def test_a_list_of_labelled_images_names_images_of_the_task(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in "ab":
            for number in range(4):
                picture(tmp_path / f"two/{split}/{name}/{name}{number}.png")
    data = {"kind": "folder", "root": str(tmp_path / "two"), "size": 16, "storage": "index"}
    file = tmp_path / "list.txt"
    semi = {"kind": "semi-1", "subset_list": str(file), "batch_size": 2}
    changes = {"datasets__shapes": data, "pretrain__batch_size": 2, "protocols__knn": semi}
    for content, message in (
        ("", r"subset_list: .*list\.txt: names no image"),
        ("a0.png\na0.png\n", "1 names are repeated"),
        ("a0.png\n", r"batch_size: 2 is more than the 1 images that .*list\.txt names; choose 1 or less"),
    ):
        file.write_text(content)
        refused(tmp_path, message, **changes)
    file.write_text("a0.png\nz0.png\n")
    check_experiment(experiment(tmp_path, **changes))  # preparing tells
    prepare("shapes", experiment(tmp_path, **changes).datasets["shapes"], tmp_path / "results/data/shapes")
    refused(tmp_path, r"'z0\.png' is no training image of 'shapes' \(1 of 2 names are not\)", **changes)
    file.write_text("a0.png\nb0.png\n")
    check_experiment(experiment(tmp_path, **changes))


def test_two_published_values_for_one_cell(tmp_path: Path) -> None:
    value = {"kind": "knn", "task": "shapes", "metric": "top1", "method": "vicreg", "encoder": "resnet18"}
    value |= {"dataset": "shapes", "value": 50.0, "source": "a paper"}
    file = tmp_path / "published.yaml"
    file.write_text(yaml.safe_dump({"values": [value, value | {"source": "another"}]}))
    refused(tmp_path, "two entries match", published=str(file))
    file.write_text(yaml.safe_dump({"values": [value, value | {"source": "another", "epochs": 100}]}))
    check_experiment(experiment(tmp_path, published=str(file)))


def test_an_encoder_without_the_stages_that_are_asked_of_it(tmp_path: Path) -> None:
    encoder = {"name": "timm/vit_tiny_patch16_224"}
    refused(tmp_path, r"runs\.one: encoder\.name: .* has no layer1.*choose a ResNet", runs__one={"encoder": encoder})


def test_prepared_labels_are_the_measure_where_data_are_prepared(tmp_path: Path) -> None:
    own = experiment(tmp_path)
    prepare("shapes", own.datasets["shapes"], tmp_path / "results/data/shapes")
    file = tmp_path / "results/data/shapes/train_labels.npy"
    np.save(file, np.zeros_like(np.load(file)))
    refused(tmp_path, "of one class; two are needed")


def test_images_that_cannot_be_normalised(tmp_path: Path) -> None:
    for number in range(9):
        Image.new("RGB", (16, 16), (number, 0, 9 * number)).save(tmp_path / f"{number}.png")
    flat = {"kind": "folder", "root": str(tmp_path), "size": 16}
    changes = {"datasets__flat": flat, "runs__one": {"method": "vicreg", "dataset": "flat"}}
    check_experiment(experiment(tmp_path, **changes))  # preparing tells
    prepare("flat", experiment(tmp_path, **changes).datasets["flat"], tmp_path / "results/data/flat")
    refused(tmp_path, r"runs\.one\.dataset: green has one value in all training images of 'flat'", **changes)


def test_validate_refuses_what_planning_refuses_and_misses_no_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, values = tmp_path / "c.yaml", copy.deepcopy(BASE) | {"results": str(tmp_path / "results")}
    values["datasets"]["away"] = {"kind": "folder", "root": str(tmp_path / "away"), "size": 16}
    values["studies"]["knn"]["tasks"] = ["shapes", "away"]
    file.write_text(yaml.safe_dump(values))
    assert main(["validate", str(file)]) == 0
    values["protocols"]["knn"]["k"] = 31
    file.write_text(yaml.safe_dump(values))
    capsys.readouterr()
    assert main(["validate", str(file)]) == 2
    assert f"{file}: protocols.knn.k: 31 is more than the 30 training images of 'shapes'" in capsys.readouterr().err
