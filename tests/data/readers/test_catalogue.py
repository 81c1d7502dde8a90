"""Every reader follows the common rules, gives the configuration what it needs, and refuses wrong settings."""

import sys
from pathlib import Path
from typing import Any

import pytest

from mast.catalogue import Catalogue, union
from mast.data.readers import READERS, Reader, below
from mast.data.readers.coco import CocoData
from mast.data.readers.shapes_scenes import ScenesData
from mast.data.readers.voc import VocData
from mast.errors import MastError

KINDS = (
    *("arrow", "coco", "digits", "folder", "parquet", "public", "shapes", "shapes-scenes", "table", "typefaces", "voc"),
    *("voc-labels", "webdataset"),
)
MADE_UP = """
from pathlib import Path
from typing import Literal
from mast.data.readers import Reader

class MadeUpData(Reader):
    {kind}

    def prepare(self, name: str, output: Path, threads: int) -> None: ...
"""


def test_the_kinds_are_the_files_of_the_folder() -> None:
    assert tuple(READERS) == KINDS
    assert {kind for kind, reader in READERS.items() if reader.has_boxes} == {"coco", "shapes-scenes", "voc"}


def test_no_reader_imports_what_is_slow_until_it_prepares() -> None:
    for reader in READERS.values():
        slow = {"torch", "torchvision", "timm", "sklearn", "scipy", "pandas", "matplotlib", "pyarrow"}
        assert not slow & vars(sys.modules[reader.__module__]).keys()


@pytest.mark.parametrize("kind", ['kind: Literal["made up"]', "kind: str", ""])
def test_a_kind_that_is_not_the_name_of_its_file_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path.name
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    (tmp_path / package / "made_up.py").write_text(MADE_UP.format(kind=kind or "name: str"))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MastError, match=r"made_up\.py: .* write kind: Literal\['made-up'\]"):
        union(Catalogue(package, Reader))


def test_paths_of_any_depth_are_placed_and_listed() -> None:
    splits = {split: {"images": split, "annotations": f"/own/{split}.json"} for split in ("train", "test")}
    values: dict[str, Any] = {"kind": "coco", "unreadable": "skip", **splits}
    placed = below(Path("/data"), CocoData, values)
    assert values["train"]["images"] == "train"
    assert CocoData(**placed).needed() == ["/data/train", "/own/train.json", "/data/test", "/own/test.json"]
    assert below(Path("/data"), VocData, {"root": 3, "classes": ["root"]}) == {"root": 3, "classes": ["root"]}


def test_what_is_missing_of_image_sets_is_their_lists(tmp_path: Path) -> None:
    lists = tmp_path / "VOC2007/ImageSets/Main"
    lists.mkdir(parents=True)
    (lists / "trainval.txt").touch()
    data = VocData(kind="voc", root=str(tmp_path), train=("2007/trainval",))
    assert data.missing() == [str(lists / "test.txt")]


def test_what_only_preparing_tells_is_none() -> None:
    data = ScenesData(kind="shapes-scenes", train=3, test=2, size=32)
    assert (data.train_count, data.known_labels, data.origin) == (None, None, None)
    assert data.prepared_bytes == 5 * 32 * 32 * 3 and data.missing() == []
