"""`mast init` inspects images, chooses valid settings, and reports errors."""

import re
import shlex
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pyarrow as pa
import pytest
import yaml
from PIL import Image
from snakemake.cli import parse_args
from support.shards import png, sample, table, write_parquet, write_saved, write_tar

from mast.cli import main
from mast.config.experiment import Experiment
from mast.config.load import load_experiment
from mast.data.prepare import prepare
from mast.errors import MastError
from mast.results import Results
from mast.settings import parse
from mast.starter import choose as choosing
from mast.starter.choose import choose
from mast.starter.look import Findings, look
from mast.starter.write import configuration


def image(file: Path, size: tuple[int, int] = (80, 60)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(file)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        for number in range(4):
            image(tmp_path / "photos" / "train" / name / f"{number}.png")
        image(tmp_path / "photos" / "test" / name / "0.png")
    return tmp_path / "photos"


@pytest.fixture(autouse=True)
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of known speed."""
    monkeypatch.setattr(choosing, "_images_per_second", lambda *arguments: 100.0)


def written(found: Findings, minutes: float = 10) -> Experiment:
    return parse(Experiment, yaml.safe_load(configuration("photos", found, choose(found, minutes))), "written")


def test_classes_are_found_and_evaluated(labelled: Path) -> None:
    found = look(labelled)
    assert (found.train, found.test, found.classes, found.short_side) == (8, 2, 2, 60)
    experiment = written(found)
    assert set(experiment.studies) == {"linear", "knn"}
    assert experiment.datasets["own"].size == 32
    assert experiment.monitor.epochs


def test_nested_images_are_unlabeled_and_it_says_why(tmp_path: Path) -> None:
    for number in range(6):
        image(tmp_path / "photos" / f"{2020 + number}" / "may" / "a.jpg", (300, 200))
    found = look(tmp_path / "photos")
    assert (found.train, found.classes, found.settings["labels"]) == (6, 0, "none")
    text = configuration("photos", found, choose(found, 10))
    assert "has folders of images but no train folder" in text
    experiment = parse(Experiment, yaml.safe_load(text), "written")
    assert not experiment.studies
    assert experiment.datasets["own"].train_count == 6


def test_nested_folders_that_look_like_classes_end_in_a_table(tmp_path: Path) -> None:
    for number in range(10):
        image(tmp_path / "photos/all" / f"{'cat' if number % 2 else 'dog'}/{number // 2}/a.jpg")
    found = look(tmp_path / "photos")
    assert found.settings == {"kind": "folder", "root": str(tmp_path / "photos/all"), "test_fraction": 0.2}
    assert (found.train, found.test, found.classes) == (8, 2, 2)
    assert "no run trains on them" in found.notes[0]
    experiment = written(found)
    assert set(experiment.studies) == {"linear", "knn"}
    experiment.datasets["own"].check(evaluated=True)


@pytest.mark.parametrize("names", [("2023", "2024-05"), ("cat", "few"), ("train", "other")])
def test_folders_of_dates_splits_or_few_images_are_no_classes(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        for number in range(2 if name == "few" else 6):
            image(tmp_path / name / f"{number}.png")
    assert look(tmp_path).classes == 0


def test_classes_without_a_test_split_get_one(labelled: Path) -> None:
    (labelled / "test").rename(labelled / "val")
    found = look(labelled)
    assert (found.train, found.test, found.classes, found.settings["test_fraction"]) == (8, 2, 2, 0.2)
    written(found).datasets["own"].check(evaluated=True)


def test_unlabeled_images_become_a_table_once_some_have_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines that are commented out fit the others and the list of images that they ask for."""
    for number in range(10):
        image(tmp_path / "photos" / f"{number}.png")
    found = look(tmp_path / "photos")
    text = configuration("photos", found, choose(found, 10))
    before, later, after = re.split(r"^(?=# A table of scores)|^(?=figures)", text, flags=re.MULTILINE)
    before = re.sub(r"^  # (?=labelled|untrained)", "  ", before, flags=re.MULTILINE)
    later = re.sub(r"^# ?", "", "\n".join(later.split("\n")[2:]), flags=re.MULTILINE)
    experiment = parse(Experiment, yaml.safe_load(before + later + after), "written")
    assert experiment.studies["linear"].tasks == ("labelled",)
    assert experiment.figures.retrieval == ("vicreg", "mast")
    lines = [f"{number}.png,{'ab'[number % 2]}" for number in range(10)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *lines]))
    monkeypatch.chdir(tmp_path)
    experiment.datasets["labelled"].check(evaluated=True)
    assert not parse(Experiment, yaml.safe_load(text), "written").studies


def test_one_class_is_taken_as_unlabeled(tmp_path: Path) -> None:
    for number in range(5):
        image(tmp_path / "train" / "all" / f"{number}.png")
    assert look(tmp_path).settings["labels"] == "none"


def test_other_files_are_counted(labelled: Path) -> None:
    (labelled / "train" / "cat" / "notes.txt").write_text("x")
    assert "1 files or folders are left out, the first is train/cat/notes.txt" in look(labelled).notes[-1]


def test_a_list_of_images_is_understood(labelled: Path) -> None:
    file = labelled / "metadata.csv"
    files = sorted(path.relative_to(labelled).as_posix() for path in labelled.rglob("*.png"))
    file.write_text("file_name,colour\n" + "".join(f"{name},red\n" for name in files))
    found = look(labelled)
    assert found.settings == {"kind": "table", "file": str(file), "root": str(labelled), "path": "file_name"}
    assert found.train == 10
    assert "Other columns: colour" in found.notes[0]
    assert written(found).datasets["own"].train_count == 10


def test_labels_and_splits_of_a_list_are_found(tmp_path: Path) -> None:
    lines = ["file_name,species,id,weight,part"]
    for number in range(20):
        image(tmp_path / f"{number}.png")
        part = "test" if number < 6 else "train"
        lines.append(f"{number}.png,{'cat' if number % 2 else 'dog'},{number},{number / 7},{part}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    found = look(tmp_path / "list.csv")
    assert found.settings["targets"] == ["species"] and found.settings["split"] == "part"
    assert (found.train, found.test, found.classes) == (14, 6, 2)
    assert "Other columns: id, weight" in found.notes[1]
    assert set(written(found).studies) == {"linear", "knn"}


def test_labels_that_cannot_be_used_are_named_and_splits_stay(tmp_path: Path) -> None:
    lines = ["path,species,part"]
    for number in range(30):
        image(tmp_path / f"{number}.png")
        part, species = ("test", "cow") if number < 6 else ("train", "cat" if number % 2 else "dog")
        lines.append(f"{number}.png,{species},{part}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    found = look(tmp_path / "list.csv")
    assert "targets" not in found.settings and found.settings["split"] == "part"
    assert (found.train, found.classes) == (24, 0)
    assert "class 'cow' is in test but not in train" in found.notes[-1]
    assert not written(found).studies


def test_shards_are_understood(tmp_path: Path) -> None:
    """The layouts of the Hub, `save_to_disk` and webdataset work; validation is the test split if there is no other."""
    for split, numbers in (("train", range(8)), ("validation", range(8, 12))):
        write_parquet(tmp_path / f"hub/data/{split}-00000-of-00001.parquet", table(numbers))
        write_saved(tmp_path / "saved", split, [table(numbers)])
        write_tar(tmp_path / f"tars/{split}-0.tar", [member for number in numbers for member in sample(number)])
    targets = {"hub": ["label"], "saved": ["label"], "tars": ["cls"]}
    for name, kind in (("hub", "parquet"), ("saved", "arrow"), ("tars", "webdataset")):
        found = look(tmp_path / name)
        assert (found.settings["kind"], found.settings["targets"]) == (kind, targets[name])
        assert (found.train, found.test, found.classes, found.short_side) == (8, 4, 3, 16)
        written(found).datasets["own"].check(evaluated=True)
    found = look(tmp_path / "hub/data/train-00000-of-00001.parquet")
    assert (found.train + found.test, found.settings["test_fraction"]) == (8, 0.2)


@pytest.mark.parametrize(
    ("train", "val", "patterns"),
    [
        (["0-train", "1-train"], ["0-val", "1-val"], {"train": "*-train.tar", "test": "*-val.tar"}),
        (["a[1]-train-0", "a[1]-train-1"], ["a[1]-val-0"], {"train": "a[[]1]-train-*", "test": "a[[]1]-val-0.tar"}),
        (["0-train-a", "1-train-b"], ["0-val-a", "1-val-b"], None),
    ],
)
def test_patterns_of_shards_match_one_split_each(
    train: list[str], val: list[str], patterns: dict[str, str] | None, tmp_path: Path
) -> None:
    for place, name in enumerate([*train, *val]):
        write_tar(tmp_path / f"{name}.tar", [part for number in range(12) for part in sample(12 * place + number)])
    found = look(tmp_path)
    if patterns is None:
        assert found.settings.keys() == {"kind", "root"}
        assert any("no pattern with one * matches those of one split only" in note for note in found.notes)
    else:
        assert found.settings["shards"] == patterns
        assert (found.train, found.test) == (12 * len(train), 12 * len(val))


def test_shards_without_labels_or_with_unusual_names_are_understood(tmp_path: Path) -> None:
    pictures = pa.array(map(png, range(12)), pa.binary())
    content = pa.table({"caption": [f"picture {number}" for number in range(12)], "content": pictures})
    write_parquet(tmp_path / "one/own.parquet", content)
    found = look(tmp_path / "one")
    assert found.settings == {"kind": "parquet", "root": str(tmp_path / "one"), "image": "content"}
    assert "Other columns: caption" in found.notes[0]
    written(found).datasets["own"].check(evaluated=False)
    members = [(f"{number}.{side}.png", png(number)) for number in range(6) for side in ("left", "right")]
    write_tar(tmp_path / "two.tar", members)
    assert look(tmp_path / "two.tar").settings["image"] == "left.png"
    write_parquet(tmp_path / "three/own.parquet", content.select(["caption"]))
    with pytest.raises(MastError, match="has no column of images; it has caption"):
        look(tmp_path / "three")


@pytest.mark.parametrize(
    "text",
    [
        "2023",
        "on",
        "null",
        "1e5",
        "2023-01-01",
        "a: b #c",
        'it\'s "q"',
        "C:\\x",
        "é 😀",
        "a\nb\x85\u2028\x1b",
        "\udcff",
        "{a}",
        " b ",
    ],
)
def test_any_name_is_written_so_that_it_is_read_again(text: str) -> None:
    found = Findings({"kind": "table", "root": f"/x/{text}", "file": "l.csv", "path": text}, 99, 0, 0, 64, [text * 60])
    read = yaml.safe_load(configuration(text, found, choose(found, 10)))
    assert (read["name"], read["results"], read["datasets"]["own"]["root"]) == (text, f"results/{text}", f"/x/{text}")
    assert read["datasets"]["own"]["path"] == text


@pytest.mark.parametrize("minutes", ["nan", "inf", "0", "-1"])
def test_minutes_are_a_time(labelled: Path, minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(labelled), "--minutes", minutes]) == 2
    assert "give a number above 0" in capsys.readouterr().err


@pytest.mark.parametrize(("minutes", "epochs"), [(0.1, 20), (10, 60), (1000, 400)])
def test_epochs_fit_the_minutes_within_bounds(minutes: float, epochs: int) -> None:
    found = Findings({"kind": "folder", "root": "x"}, 1000, 0, 0, 64)
    choice = choose(found, minutes)
    assert choice.pretrain["epochs"] == epochs
    assert choice.minutes == pytest.approx(epochs * 1000 / 100 / 60)


def test_the_file_is_written_once(labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mine.yaml"
    assert main(["init", str(labelled), "-o", str(output)]) == 0
    printed = capsys.readouterr().out
    assert f"mast views {output} --run mast" in printed
    command = printed[printed.index("snakemake ") :].strip()
    assert set(parse_args(shlex.split(command)[1:])[1].targets) == {"all"}
    assert (load_experiment(output).name, load_experiment(output).results) == ("mine", "results/mine")
    assert main(["init", str(labelled), "-o", str(output)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_folders_whose_names_differ_after_a_dot_have_results_of_their_own(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for year in ("2023", "2024"):
        shutil.copytree(labelled, tmp_path / f"z.{year}")
        assert main(["init", f"z.{year}"]) == 0
        assert load_experiment(Path(f"z-{year}.yaml")).results == f"results/z-{year}"


def test_results_of_other_images_are_not_taken_over(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(labelled, tmp_path / "other/photos")
    assert main(["init", "photos"]) == 0
    prepare(
        "own", load_experiment(Path("photos.yaml")).datasets["own"], Results("results/photos").data("own").directory
    )
    Path("photos.yaml").unlink()
    assert main(["init", "photos"]) == 0  # the same images
    Path("photos.yaml").unlink()
    assert main(["init", "other/photos"]) == 2
    error = capsys.readouterr().err
    assert f"results/photos: has results of other images ({labelled}); choose another name with -o" in error
    assert main(["init", "other/photos", "-o", "b.yaml"]) == 0
    assert main(["init", "other/photos", "--force"]) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda place: None, "no such folder or file"),
        (lambda place: place.mkdir(), "holds no images"),
        (lambda place: image(place / "a.png"), "1 images to train on are too few"),
    ],
    ids=["missing", "empty", "one image"],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, make: object, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "photos")
    assert main(["init", str(tmp_path / "photos"), "-o", str(tmp_path / "c.yaml")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "c.yaml").exists()


def test_files_that_are_no_images_are_named(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"no image")
    with pytest.raises(MastError, match="nor can any other of 5 images"):
        look(tmp_path)


def test_photographs_of_telephones_are_looked_at(tmp_path: Path) -> None:
    for number in range(5):
        pillow_heif.from_pillow(Image.new("RGB", (80, 64))).save(str(tmp_path / f"{number}.heic"))
    assert (look(tmp_path).train, look(tmp_path).short_side) == (5, 64)


@pytest.mark.parametrize("side", [9_500, 60_000])
def test_an_image_that_is_too_large_is_named(side: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(5):
        image(tmp_path / f"{number}.png")
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    (tmp_path / "9.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\r" + head + struct.pack(">I", zlib.crc32(head)))
    with (tmp_path / "9.png").open("ab") as file:
        file.write(b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    assert look(tmp_path).short_side == 60
    [message] = caplog.messages
    assert message.startswith(f"{tmp_path / '9.png'}: cannot be read as an image (") and "pixels" in message


def test_speed_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = Findings({"kind": "folder", "root": "x"}, 16, 0, 0, 32)
    assert np.isfinite(choose(found, 0.01).images_per_second)
