"""The headers of the paper's configurations state hours and disk space that follow from their settings."""

import re

import pytest
import torch
from support import ROOT
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mast.config.load import load_experiment
from mast.config.pretrain import PretrainSpec
from mast.models.detector import Detector
from mast.models.encoder import build_encoder
from mast.models.projector import build_projector

PAPER = ROOT / "config/paper"
FORWARD_BACKWARD, VIEWS, SECONDS = 3, 2, 3600


def head(paper: str) -> str:
    """The comment at the top, as one line."""
    text = (PAPER / f"{paper}.yaml").read_text(encoding="utf-8").split("\nname:")[0]
    return " ".join(re.sub(r"^#", "", line).strip() for line in text.splitlines())


def stated(paper: str, pattern: str) -> float:
    return float(re.search(pattern, head(paper))[1].replace(",", ""))


def flop_of_an_image(spec: PretrainSpec, side: int) -> float:
    """Counted by torch on the networks that are trained: two views, forward and backward."""
    encoder = build_encoder(spec.encoder)
    network = nn.Sequential(encoder, build_projector(encoder.num_features, spec.projector)).to("meta")
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.empty(1, 3, side, side, device="meta"))
    return counter.get_total_flops() * FORWARD_BACKWARD * VIEWS


@pytest.mark.parametrize(
    ("paper", "run", "speed", "pattern"),
    [("imagenet", "vicreg", 60e12, r"= ([\d.]+) hours a run"), ("stl10", "vicreg", 15e12, r"([\d.]+) hours a run")],
)
def test_hours_of_a_training(paper: str, run: str, speed: float, pattern: str) -> None:
    experiment = load_experiment(PAPER / f"{paper}.yaml")
    spec = experiment.pretrain_spec(run)
    data = experiment.datasets[spec.dataset]
    flop = flop_of_an_image(spec, data.size) * data.described.counts["train"] * spec.epochs
    assert stated(paper, pattern) == pytest.approx(flop / speed / SECONDS, rel=0.03)


def test_hours_of_all_trainings_on_stl10() -> None:
    experiment = load_experiment(PAPER / "stl10.yaml")
    trainings = sum(
        len(experiment.run_seeds(run)) for run, spec in experiment.runs.items() if spec.method != "untrained"
    )
    assert stated("stl10", r"= (\d+) training runs") == trainings
    hours = trainings * stated("stl10", r"([\d.]+) hours a run")
    assert stated("stl10", r"training runs: (\d+) hours") == pytest.approx(hours, rel=0.01)


def test_hours_on_imagenet_add_up() -> None:
    experiment = load_experiment(PAPER / "imagenet.yaml")
    long, short = (sum(spec.epochs == epochs for spec in experiment.runs.values()) for epochs in (1000, 100))
    a_run, an_encoder = stated("imagenet", r"= ([\d.]+) hours a run"), stated("imagenet", r"together (\d+) hours")
    linear = stated("imagenet", r"FLOP = ([\d.]+) hours \(")
    *parts, total = re.search(r"(\d+) \+ (\d+) \+ (\d+) \+ (\d+) = ([\d,]+)", head("imagenet")).groups()
    expected = [long * a_run, short * a_run / 10, (long + short) * linear, long * an_encoder]
    assert [float(part) for part in parts] == pytest.approx(expected, rel=0.01)
    assert sum(map(int, parts)) == int(total.replace(",", ""))
    assert stated("imagenet", r"About ([\d,]+) hours") == pytest.approx(int(total.replace(",", "")), rel=0.03)
    of_encoder = [
        stated("imagenet", pattern) for pattern in (r"= ([\d.]+), 1 %", r"1 % ([\d.]+)", r"= ([\d.]+); iNat18")
    ]
    inat, voc, coco = (
        stated("imagenet", pattern) for pattern in (r"M = ([\d.]+);", r"= (\d+) hours, COCO", r"= (\d+); tog")
    )
    assert sum([*of_encoder, inat, voc, coco]) == pytest.approx(an_encoder, rel=0.01)


@pytest.mark.parametrize(
    ("protocol", "task", "passes", "pattern"),
    [
        ("linear-sgd", "imagenet", 1, r"FLOP = ([\d.]+) hours \("),
        ("semi-10", "imagenet", FORWARD_BACKWARD, r"24\.6 GFLOP = ([\d.]+), 1 %"),
        ("semi-1", "imagenet", FORWARD_BACKWARD, r", 1 % ([\d.]+); Places205"),
        ("linear-places", "places205", 1, r"Places205 .*? GFLOP = ([\d.]+); iNat18"),
        ("linear-inat", "inat18", 1, r"iNat18 84 × 0\.44 M = ([\d.]+);"),
    ],
)
def test_hours_of_an_evaluation(protocol: str, task: str, passes: int, pattern: str) -> None:
    experiment = load_experiment(PAPER / "imagenet.yaml")
    spec, data = experiment.protocols[protocol], experiment.datasets[task]
    images = data.described.counts["train"] * getattr(spec, "fraction", 1)
    encoder = build_encoder(experiment.pretrain_spec("vicreg").encoder).to("meta").eval()
    with FlopCounterMode(display=False) as counter:
        encoder(torch.empty(1, 3, data.size, data.size, device="meta"))
    hours = counter.get_total_flops() * passes * images * spec.epochs / 20e12 / SECONDS
    assert stated("imagenet", pattern) == pytest.approx(hours, abs=0.06)


def test_memory_of_the_backward_pass() -> None:
    """Measure what autograd saves for one image, without weights and statistics."""
    encoder = build_encoder(load_experiment(PAPER / "imagenet.yaml").pretrain_spec("vicreg").encoder).to("meta")
    own = {values.untyped_storage()._cdata for values in (*encoder.parameters(), *encoder.buffers())}
    saved: dict[int, torch.Tensor] = {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda values: saved.setdefault(values.untyped_storage()._cdata, values), lambda values: values
    ):
        encoder.train()(torch.empty(2, 3, 224, 224, device="meta"))
    kept = sum(values.untyped_storage().nbytes() for key, values in saved.items() if key not in own) / 2
    assert stated("imagenet", r"is (\d+) MB in float32") == pytest.approx(kept / 1e6, abs=1)


@pytest.mark.parametrize(
    ("name", "classes", "pattern", "hours"),
    [
        ("detection-voc", 20, r"VOC, (\d+) px: (\d+) GMAC", r"= (\d+) hours, COCO"),
        ("detection-coco", 80, r"COCO, (\d+) px: (\d+) GMAC", r"= (\d+); together"),
    ],
)
def test_hours_of_detectors(name: str, classes: int, pattern: str, hours: str) -> None:
    """At the mean short side and 4:3, with as many regions with an object as are sampled at most."""
    experiment = load_experiment(PAPER / "imagenet.yaml")
    spec, norm = experiment.protocols[name], torch.ones(1, 3, 1, 1)
    detector = Detector(build_encoder(experiment.pretrain_spec("vicreg").encoder), classes, norm, norm, spec)
    detector.eval().to("meta")
    short, stated_gmac = map(int, re.search(pattern, head("imagenet")).groups())
    assert short == sum(spec.train_sizes) / len(spec.train_sizes)
    heads = detector.roi_heads
    with FlopCounterMode(display=False) as counter:
        [level] = detector.backbone(torch.empty(1, 3, short, short * 4 // 3, device="meta")).values()
        detector.rpn.head([level])
        regions = heads.box_head(torch.empty(spec.rois, level.shape[1], 14, 14, device="meta"))
        if spec.masks:
            heads.mask_predictor(regions[: spec.rois // 4])
    flop = counter.get_total_flops()
    assert flop / 2e9 == pytest.approx(stated_gmac, rel=0.005)
    total = flop * FORWARD_BACKWARD * spec.steps * spec.batch_size
    assert total / 20e12 / SECONDS == pytest.approx(stated("imagenet", hours), rel=0.03)


def test_disk_of_prepared_images() -> None:
    experiment = load_experiment(PAPER / "stl10.yaml")
    gigabytes = sum(spec.prepared_bytes for spec in experiment.datasets.values()) / 1e9
    assert stated("stl10", r"3 bytes = ([\d.]+) GB\. Features") == pytest.approx(gigabytes, abs=0.1)
    fetched = {
        spec.described.archives[0].url: spec.described.gigabytes
        for spec in experiment.datasets.values()
        if spec.download
    }
    assert stated("stl10", r"(\d+) GB of archives") == pytest.approx(sum(fetched.values()), abs=0.6)
