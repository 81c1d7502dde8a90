"""Every data source, in its official layout, passes the workflow's stages: prepare → pretrain → evaluate."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from support.commands import run_commands
from support.fixture_data import OWN_FOLDERS, write_sources
from support.layouts import LAYOUTS
from support.projects import Project

from mast.config.scale import TINY_RUN
from mast.data.prepared.store import open_prepared
from mast.data.sources.catalogue import SOURCES
from mast.protocols import PROTOCOLS

pytestmark = pytest.mark.slow

UNLABELED = "stl10-unlabeled"
LABELED = sorted(set(SOURCES) - {UNLABELED})
BY_KNN, BY_LINEAR = LABELED[::2], LABELED[1::2]
OWN_ROOT = {"imagenet100": "imagenet"} | {source: source for source in OWN_FOLDERS}
WIDE_ENOUGH_FOR_COLOURS = {"name": "resnet-narrow", "stem": "small", "widths": [8, 16, 32, 64]}
IN_PLACE = ("imagenet", "imagenet100", "places205", "inaturalist2018", "food101")


def public(source: str) -> dict[str, object]:
    storage = "index" if source in IN_PLACE else "arrays"
    root = OWN_ROOT.get(source, ".")
    return {"kind": "public", "source": source, "root": root, "size": 16, "verify": False, "storage": storage}


def study(title: str, protocol: str, tasks: list[str]) -> dict[str, object]:
    return {"title": title, "protocol": protocol, "tasks": tasks, "runs": ["mast"]}


def configuration(data: Path) -> dict[str, object]:
    coco = {
        split: {"images": f"coco/{folder}", "annotations": f"coco/annotations/instances_{folder}.json"}
        for split, folder in (("train", "train2017"), ("test", "val2017"))
    }
    return {
        "name": "sources",
        "results": "results/sources",
        "data_root": str(data),
        "datasets": {source: public(source) for source in LAYOUTS}
        | {"voc07": {"kind": "voc-labels", "root": "VOCdevkit", "size": 16}}
        | {"voc0712": {"kind": "voc", "root": "VOCdevkit"}, "coco": {"kind": "coco", **coco}},
        "pretrain": TINY_RUN | {"dataset": UNLABELED, "batch_size": 8, "encoder": WIDE_ENOUGH_FOR_COLOURS},
        "runs": {"mast": {"method": "mast"}},
        "protocols": {
            "knn": {"kind": "knn", "k": 2},
            "linear": {"kind": "linear-lbfgs", "strengths": 2, "strength_range": [1.0e-4, 1.0e-2]},
            "svm": {"kind": "svm-voc"} | PROTOCOLS["svm-voc"].TINY,
            "detection": {"kind": "detection"} | PROTOCOLS["detection"].TINY,
        },
        "studies": {
            "knn": study("kNN", "knn", BY_KNN),
            "linear": study("Linear", "linear", BY_LINEAR),
            "svm": study("SVM", "svm", ["voc07"]),
            "detection": study("Detection", "detection", ["voc0712", "coco"]),
        },
        "seeds": [0],
    }


@pytest.mark.xdist_group("sources")
def test_every_source_through_the_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sources(tmp_path / "data")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/published.yaml").write_text("values: []\n")
    (tmp_path / "config/sources.yaml").write_text(yaml.safe_dump(configuration(tmp_path / "data")))
    plan = ("--dry-run", "--printshellcmds", "tables", "--configfile", "config/sources.yaml")
    planned = Project(tmp_path).snakemake(*plan)
    assert planned.returncode == 0, planned.stdout[-3000:]
    monkeypatch.chdir(tmp_path)
    run_commands(planned.stdout)
    results = tmp_path / "results/sources"
    for source in SOURCES:
        data = open_prepared(results / "data" / source)
        data.verify()
        assert data.manifest.source.startswith(SOURCES[source].title)
    for name, metric, tasks in (("knn", "top1", BY_KNN), ("linear", "top1", BY_LINEAR), ("svm", "mAP", ["voc07"])):
        with (results / f"tables/{name}.csv").open(encoding="utf-8") as file:
            found = {row["task"]: float(row["mean"]) for row in csv.DictReader(file) if row["metric"] == metric}
        assert found.keys() - {"all"} == set(tasks)
        assert all(found[task] > 60 for task in tasks), f"colours are easy: {found}"
    for task in ("voc0712", "coco"):
        [file] = (results / f"metrics/detection/{task}").rglob("seed0.json")
        scored = json.loads(file.read_text(encoding="utf-8"))
        assert 0 <= scored["metrics"]["box"]["AP"] <= 100 and scored["counts"]["test"] > 0
