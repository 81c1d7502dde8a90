"""Checks of the encoders that timm builds, made when the workflow is planned. Nothing is computed."""

from typing import TYPE_CHECKING

from mast.config.experiment import Experiment
from mast.errors import MastError
from mast.models.settings import EncoderSpec
from mast.settings import nearest

if TYPE_CHECKING:
    from torch import nn


def check_encoders(experiment: Experiment) -> None:
    """Check that timm has the encoders named, that they have the required stages, and that protocols can use them.

    torchvision's names and stages are known without building an encoder; any protocol can use them.

    Raises:
        MastError: `runs.<name>: encoder…` or `protocols.<name>…`, for the first that does not fit.
    """
    specs = {run: experiment.pretrain_spec(run).encoder for run in experiment.runs}
    specs = {run: spec for run, spec in specs.items() if spec.name.startswith("timm/")}
    if not specs:
        return
    encoders = {run: _build(run, spec) for run, spec in specs.items()}
    used = {(study.protocol, run) for study in experiment.studies.values() for run in study.runs if run in encoders}
    for protocol, run in sorted(used):
        experiment.protocols[protocol].check_encoder(protocol, specs[run].name, encoders[run])


def _build(run: str, spec: EncoderSpec) -> "nn.Module":
    """Return the encoder on torch's meta device, which holds no values."""
    import timm  # slow to import, and seldom used
    import torch

    from mast.models.encoder import build_encoder

    name = spec.name.removeprefix("timm/")
    if not timm.is_model(name):
        raise MastError(f"runs.{run}: encoder.name: timm has no model {name!r}; {nearest(name, timm.list_models())}")
    try:
        with torch.device("meta"):
            return build_encoder(spec)
    except MastError as error:
        raise MastError(f"runs.{run}: {error}") from None
    except AttributeError:
        raise MastError(
            f"runs.{run}: encoder.stem: {spec.name!r} has no stem that could be made small; set it to imagenet"
        ) from None
