"""Whole pretraining runs on tiny data: determinism, resume, signals, divergence, and output files."""

import json
import os
import signal
import sys
from functools import partialmethod
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file

from mast.checkpoint import Checkpoints
from mast.config.pretrain import PretrainSpec
from mast.data.prepared.writer import Writer, channel_statistics
from mast.errors import MastError
from mast.learner import Learner
from mast.methods import Outcome
from mast.models.encoder_file import load_encoder
from mast.models.uncertainty import load_uncertainty_head
from mast.pretraining import trainee
from mast.pretraining.run import pretrain
from mast.settings import parse
from mast.signals import StoppedBySignalError

pytestmark = pytest.mark.slow

TINY = {
    "dataset": "shapes",
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 6, 8, 10]},
    "projector": {"hidden": 12, "output": 8},
    "mast": {"uncertainty": {"kind": "isotropic"}},
    "optimizer": {"name": "adamw", "lr": 0.003, "warmup_epochs": 0.5},
    "epochs": 3,
    "batch_size": 16,
    "log_every": 2,
}
METHODS = ["untrained", "supervised", "vicreg", "mast"]
PEERS = ["augself", "looc", "cassle", "simclr", "barlow-twins"]
FILES = {"encoder.safetensors", "heads.safetensors", "metrics.jsonl", "run.json"}


def run(data: Path, output: Path, seed: int = 0, **settings: object) -> Path:
    spec = parse(PretrainSpec, TINY | settings, "test")
    pretrain(spec, "tiny", seed, data, output, "cpu", torch.get_num_threads())
    return output


def curve(output: Path) -> list[dict]:
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "images_per_second"} for line in lines]


@pytest.mark.parametrize("method", METHODS)
def test_one_seed_gives_one_encoder_byte_for_byte(data: Path, tmp_path: Path, method: str) -> None:
    first, second = (run(data, tmp_path / name, method=method) for name in "ab")
    other = run(data, tmp_path / "c", seed=1, method=method)
    encoders = [(path / "encoder.safetensors").read_bytes() for path in (first, second, other)]
    assert encoders[0] == encoders[1]
    tensors = load_file(first / "encoder.safetensors"), load_file(other / "encoder.safetensors")
    assert not torch.equal(tensors[0]["conv1.weight"], tensors[1]["conv1.weight"])
    assert {path.name for path in first.iterdir()} == FILES


def test_methods_start_from_the_same_encoder(data: Path, tmp_path: Path) -> None:
    untrained = load_file(run(data, tmp_path / "untrained", method="untrained") / "encoder.safetensors")
    frozen = {"name": "sgd", "lr": 1e-30, "warmup_epochs": 0, "weight_decay": 0}
    for method in ("supervised", "vicreg", "mast", *PEERS):
        started = load_file(run(data, tmp_path / method, method=method, optimizer=frozen) / "encoder.safetensors")
        for name in (name for name in untrained if name.endswith("weight")):
            torch.testing.assert_close(started[name], untrained[name])


def test_curve_holds_every_term_and_the_collapse_indicators(data: Path, tmp_path: Path) -> None:
    lines = curve(run(data, tmp_path, method="mast"))
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 9]
    expected = {"step", "steps", "epoch", "images", "lr", "loss", "invariance", "variance", "covariance", "uncertainty"}
    expected |= {"embedding_std", "effective_rank", "mask_mean", "mask_min", "mask_overlap"}
    assert all(set(line) == expected for line in lines)
    assert lines[-1]["epoch"] == 3
    assert lines[-1]["steps"] == 9
    assert lines[-1]["images"] == 9 * 16
    assert lines[-1]["mask_mean"] == pytest.approx([0.8] * 5, abs=1e-4)
    assert lines[0]["loss"] == pytest.approx(
        25 * lines[0]["invariance"] + 25 * lines[0]["variance"] + lines[0]["covariance"] + lines[0]["uncertainty"]
    )


@pytest.mark.parametrize(
    ("method", "stop_after"), [*product(["supervised", "vicreg", "mast"], [1, 4, 8]), *product(PEERS, [4])]
)
def test_a_run_stopped_by_a_signal_goes_on_to_the_same_bytes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, stop_after: int
) -> None:
    whole = run(data, tmp_path / "whole", method=method)
    steps = []
    original = trainee.set_learning_rate

    def stop_in_time(*arguments: object) -> None:
        steps.append(1)
        if len(steps) == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        original(*arguments)

    monkeypatch.setattr(trainee, "set_learning_rate", stop_in_time)
    with pytest.raises(StoppedBySignalError, match=f"after step {stop_after} of 9"):
        run(data, tmp_path / "stopped", method=method)
    assert not (tmp_path / "stopped" / "encoder.safetensors").exists()
    monkeypatch.setattr(trainee, "set_learning_rate", original)
    resumed = run(data, tmp_path / "stopped", method=method)
    for name in ("encoder.safetensors", "heads.safetensors"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes()
    assert curve(whole) == curve(resumed)
    assert not (resumed / "checkpoints").exists()


def test_checkpoints_of_other_settings_are_not_resumed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainee, "set_learning_rate", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(StoppedBySignalError):
        run(data, tmp_path / "changed", method="vicreg", objective={"covariance": 5})
    monkeypatch.undo()
    fresh = run(data, tmp_path / "fresh", method="vicreg")
    changed = run(data, tmp_path / "changed", method="vicreg")
    assert (fresh / "encoder.safetensors").read_bytes() == (changed / "encoder.safetensors").read_bytes()


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, {"seed": 0})
    for step in (1, 2, 3):
        checkpoints.save(step, {"value": torch.tensor(step)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step000000002.pt", "step000000003.pt"]
    newest = tmp_path / "step000000003.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    assert checkpoints.load(torch.device("cpu"))["step"] == 2


def test_what_a_killed_process_left_of_a_checkpoint_is_cleared(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", {"seed": 0})
    checkpoints.save(1, {})
    (tmp_path / "checkpoints/.step000000002.leftover.tmp.pt").touch()
    checkpoints.clear()
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_divergence_names_term_and_step(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    weigh = Learner.__call__
    calls = []

    def diverge(self: Learner, *arguments: object) -> Outcome:
        calls.append(1)
        outcome = weigh(self, *arguments)
        if len(calls) == 3:
            outcome.terms["covariance"] = torch.tensor(value)
        return outcome

    monkeypatch.setattr(Learner, "__call__", diverge)
    with pytest.raises(MastError, match="covariance is not finite at step 3"):
        run(data, tmp_path, method="vicreg")
    assert not (tmp_path / "encoder.safetensors").exists()


def test_run_json_says_where_the_encoder_comes_from(data: Path, tmp_path: Path) -> None:
    output = run(data, tmp_path, method="vicreg")
    record = json.loads((output / "run.json").read_text())
    assert record["spec"]["method"] == "vicreg"
    assert "mast" not in record["spec"]
    assert record["packages"]["torch"] == torch.__version__.split("+")[0]
    metadata = load_encoder(output / "encoder.safetensors")[1]
    assert (metadata["run"], metadata["seed"]) == ("tiny", "0")
    assert metadata["spec_sha256"] == record["spec_sha256"]
    images = np.load(data / "train_images.npy") / 255
    np.testing.assert_allclose(json.loads(metadata["mean"]), images.mean(axis=(0, 1, 2)), atol=1e-5)


def test_resnet18_encoder_loads_strictly_into_torchvision(data: Path, tmp_path: Path) -> None:
    output = run(data, tmp_path, method="untrained", encoder={"name": "resnet18"})
    model = torchvision.models.resnet18()
    model.fc = torch.nn.Identity()
    model.load_state_dict(load_file(output / "encoder.safetensors"), strict=True)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), load_encoder(output / "encoder.safetensors")[0](images))


@pytest.mark.parametrize("kind", ["none", "isotropic", "diagonal"])
@pytest.mark.parametrize("form", ["relative", "likelihood"])
def test_heads_are_written_and_read(data: Path, tmp_path: Path, kind: str, form: str) -> None:
    output = run(data, tmp_path, method="mast", epochs=1, mast={"uncertainty": {"kind": kind, "form": form}})
    masks = load_file(output / "heads.safetensors")["masks"]
    assert masks.shape == (5, 8)
    head = load_uncertainty_head(output / "heads.safetensors")
    if kind == "none":
        assert head is None
    else:
        assert head(torch.randn(3, 10)).shape == (3, 1 if kind == "isotropic" else 8)


@pytest.mark.parametrize("precision", ["bf16"])
def test_reduced_precision_runs(data: Path, tmp_path: Path, precision: str) -> None:
    assert all(np.isfinite(line["loss"]) for line in curve(run(data, tmp_path, method="mast", precision=precision)))


def test_a_batch_larger_than_the_data_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(MastError, match="batch_size: 64 is more than the 52 training images"):
        run(data, tmp_path, method="vicreg", batch_size=64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kept", "sizes"), [("dropped", [8] * 6), ("kept", [8] * 6 + [2, 2])])
def test_the_last_short_batch_of_an_epoch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str, sizes: list[int]
) -> None:
    """52 images in batches of 16, each in two parts."""
    seen: list[torch.Tensor] = []
    forward = Learner.__call__
    monkeypatch.setattr(Learner, "__call__", lambda self, *given: seen.append(given[0]) or forward(self, *given))
    run(data, tmp_path, method="vicreg", last_batch=kept, accumulate=2, epochs=1, log_every=1)
    assert [len(images) for images in seen] == sizes
    lines, steps = curve(tmp_path), len(sizes) // 2
    assert [(line["step"], line["epoch"]) for line in lines] == [(n, n / steps) for n in range(1, steps + 1)]
    assert [line["images"] for line in lines] == [16, 32, 48, 52][:steps]
    ranks = [line["effective_rank"] for line in lines]
    assert ranks[3:] == ranks[2:3] * (steps - 3) and min(ranks) > 2, "of the last whole batch"


def test_a_run_with_a_short_last_batch_goes_on_to_the_same_lines(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the last step, whose line needs the embedding of the step before."""
    settings = {"method": "vicreg", "last_batch": "kept", "epochs": 1, "log_every": 1}
    whole, original = curve(run(data, tmp_path / "whole", **settings)), trainee.Pretraining.step

    def stop_in_time(self: trainee.Pretraining, step: int) -> str:
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, step)

    monkeypatch.setattr(trainee.Pretraining, "step", stop_in_time)
    with pytest.raises(StoppedBySignalError, match="after step 3 of 4"):
        run(data, tmp_path / "stopped", **settings)
    assert curve(run(data, tmp_path / "stopped", **settings)) == whole


def test_a_compiled_run_learns_the_same(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traced = partialmethod(torch.nn.Module.compile, backend="aot_eager")  # without the minute of code generation
    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    monkeypatch.setenv("CXX", sys.executable)
    settings = {"method": "mast", "epochs": 1, "log_every": 1}
    plain, compiled = (run(data, tmp_path / str(flag), compile=flag, **settings) for flag in (False, True))
    assert [line["loss"] for line in curve(compiled)] == pytest.approx(
        [line["loss"] for line in curve(plain)], rel=1e-4
    )
    assert load_file(compiled / "encoder.safetensors").keys() == load_file(plain / "encoder.safetensors").keys()


def test_compiling_needs_a_compiler(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MastError, match="compile: there is no C\\+\\+ compiler 'no-such-compiler'"):
        run(data, tmp_path, compile=True)


@pytest.mark.parametrize("method", METHODS)
def test_a_channel_of_one_value_is_named(tmp_path: Path, method: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    images[..., 1] = 7
    with Writer(tmp_path / "data") as writer:
        writer.split("train", images, np.arange(20)[:, None] % 2)
        writer.array("val_indices.npy", np.array([0]))
        statistics = channel_statistics(images)
        writer.finish("toy", {"kind": "toy"}, "made up", "none", {"class": ["a", "b"]}, *statistics)
    with pytest.raises(MastError, match="green has one value in all training images of 'toy'"):
        run(tmp_path / "data", tmp_path / "run", method=method)
