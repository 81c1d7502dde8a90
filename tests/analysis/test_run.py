"""The analysis of a run writes every file, with only headers for what the run lacks; wrong masks are refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from support.records import write_run_record
from torch import nn

from mast.analysis.difficulty import extremes
from mast.analysis.run import analyze
from mast.analysis.uncertainty import measure_uncertainty, predict_uncertainty
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec
from mast.config.pretrain import PretrainSpec
from mast.data.prepared.writer import Writer
from mast.errors import MastError
from mast.models.encoder import build_encoder
from mast.models.encoder_file import save_encoder, save_weights
from mast.models.projector import build_projector
from mast.models.settings import EncoderSpec, ProjectorSpec, UncertaintySpec
from mast.models.uncertainty import UncertaintyHead
from mast.records import AnalysisRecord

HEADERS = {
    "masks": "augmentation,dimension,weight",
    "overlap": "first,second,cosine,soft_iou,cosine_chance,soft_iou_chance",
    "subspaces": "augmentation,size,common,partly,unique,closed_alone,"
    "common_chance,partly_chance,unique_chance,closed_alone_chance",
    "uncertainty": "augmentation,strength,uncertainty,spread,count",
    "difficulty": "against,name,correlation,low,high,count",
    "invariance": "augmentation,space,moved,between,relative,shuffled,count",
    "retrieval": "representation,images,top1",
}
ENCODER = EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 4, 8, 8))
PROJECTOR = ProjectorSpec(hidden=8, output=6, layers=2)
NAMES = ["crop", "flip", "jitter", "grayscale", "blur"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    writer = Writer(tmp_path / "data")
    writer.split("train", images, None)
    writer.finish("tiny", {}, "random", "none", {}, [0.5] * 3, [0.25] * 3)
    return tmp_path / "data"


@pytest.fixture
def run_directory(tmp_path: Path) -> Callable[..., Path]:
    """Writes what pretraining writes, with the given heads."""

    def write(
        masks: torch.Tensor | None = None,
        head: UncertaintyHead | None = None,
        projector: nn.Module | None = None,
        method: str = "mast",
    ) -> Path:
        torch.manual_seed(0)
        folder = tmp_path / "run"
        encoder = build_encoder(ENCODER)
        weights = {} if masks is None else {"masks": masks}
        weights |= {f"projector.{name}": tensor for name, tensor in projector.state_dict().items()} if projector else {}
        weights |= {f"uncertainty.{name}": tensor for name, tensor in head.state_dict().items()} if head else {}
        metadata = {
            "augmentations": json.dumps(NAMES),
            "uncertainty": UncertaintySpec(kind="isotropic", hidden=4).model_dump_json(),
        }
        save_weights(folder / "heads.safetensors", weights, metadata)
        normalisation = {"mean": "[0.5, 0.5, 0.5]", "std": "[0.25, 0.25, 0.25]"}
        save_encoder(folder / "encoder.safetensors", encoder, {"encoder": ENCODER.model_dump_json(), **normalisation})
        spec = PretrainSpec(method=method, dataset="tiny", encoder=ENCODER, projector=PROJECTOR).resolved()
        write_run_record(folder / "run.json", spec=spec.model_dump(mode="json", exclude_none=True))
        return folder

    return write


@pytest.mark.parametrize("masks", [None, torch.ones(5, 6)])
def test_run_without_masks_or_uncertainty_writes_headers(
    run_directory: Callable[..., Path], data: Path, tmp_path: Path, masks: torch.Tensor | None
) -> None:
    analyze(run_directory(masks, method="untrained"), data, tmp_path / "out")
    for name, header in HEADERS.items():
        assert (tmp_path / "out" / f"{name}.csv").read_text() == header + "\n"


def test_all_files_of_a_full_run(run_directory: Callable[..., Path], data: Path, tmp_path: Path) -> None:
    masks = torch.rand(5, 6)
    head = UncertaintyHead(8, 1, UncertaintySpec(kind="isotropic", hidden=4))
    nn.init.normal_(head.output.weight)
    folder = run_directory(masks, head, build_projector(8, PROJECTOR))
    analyze(folder, data, tmp_path / "out")
    read = {name: pd.read_csv(tmp_path / "out" / f"{name}.csv") for name in HEADERS}
    assert {name: ",".join(table.columns) for name, table in read.items()} == HEADERS
    assert read["masks"]["weight"].to_numpy() == pytest.approx(masks.flatten().numpy(), rel=1e-5)
    assert len(read["overlap"]) == 25
    assert read["invariance"]["space"].tolist() == ["features", "embedding", *NAMES] * 5
    assert read["retrieval"]["representation"].tolist() == ["embedding", "features", "pixels", "colour"]
    assert read["retrieval"]["images"].tolist() == [20] * 4
    uncertainty = read["uncertainty"]
    assert uncertainty["augmentation"].unique().tolist() == NAMES
    assert (uncertainty["count"] == 20).all()
    assert uncertainty[uncertainty["strength"] == 0]["uncertainty"].nunique() == 1
    assert read["difficulty"]["name"].tolist() == NAMES  # the data have no labels
    with np.load(tmp_path / "out" / "extremes.npz") as ends:
        assert ends["images"].shape == (2, 10, 16, 16, 3)
        assert ends["sigma"][0].max() <= ends["sigma"][1].min()
    record = AnalysisRecord.read(tmp_path / "out" / "analysis.json")
    assert record.files.keys() == {*(f"{name}.csv" for name in HEADERS), "extremes.npz", "pairs.npz"}
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    analyze(folder, data, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_masks_that_do_not_fit_the_augmentations_are_refused(
    run_directory: Callable[..., Path], data: Path, tmp_path: Path
) -> None:
    with pytest.raises(MastError, match=r"heads\.safetensors: 3 masks for 5 augmentations"):
        analyze(run_directory(torch.rand(3, 6)), data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class _Variance(nn.Module):
    """Variance of two dimensions: b² and 9 b², b the mean brightness; so σ is 2b on average."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 9.0]))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features**2 * self.scale


class _Brightness(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(1, 2, 3)).unsqueeze(1)


def test_uncertainty_by_hand() -> None:
    images = torch.zeros(300, 3, 8, 8, dtype=torch.uint8)
    images[:100] = 255
    policy = Policy(PolicySpec(augmentations=("flip", "solarize")), 8)
    plain = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
    table = measure_uncertainty(predict_uncertainty(_Brightness(), _Variance(), policy, images, plain))
    rows = table.set_index(["augmentation", "strength"])
    sigma = np.array([2.0] * 100 + [0.0] * 200)
    for key in (("flip", 0.0), ("flip", 1.0)):  # a flip leaves the brightness
        assert rows.loc[key].tolist() == pytest.approx([sigma.mean(), sigma.std(ddof=1), 300])
    assert len(rows.loc["flip"]) == 2
    assert rows.loc[("solarize", 1.0), "uncertainty"] == pytest.approx(0.0, abs=1e-6)  # white becomes black


def test_uncertainty_of_subspaces_is_that_of_the_augmentation_applied() -> None:
    images = torch.full((4, 3, 8, 8), 255, dtype=torch.uint8)
    policy = Policy(PolicySpec(augmentations=("flip", "solarize")), 8)
    plain = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
    predictions = predict_uncertainty(_Brightness(), _Variance(), policy, images, plain, of_subspaces=True)
    assert [sigma.tolist() for _, sigma in predictions["flip"]] == [[1.0] * 4, [1.0] * 4]
    assert [predictions["solarize"][end][1].tolist() for end in (0, -1)] == [[3.0] * 4, [0.0] * 4]
    assert extremes(predictions, images)["sigma"].tolist() == [[2.0, 2.0]] * 2
