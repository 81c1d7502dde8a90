"""Head that predicts how uncertain a view's embedding is."""

import math
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from mast.models.encoder_file import read_weights
from mast.models.settings import UncertaintySpec
from mast.settings import parse_spec

START = 0.5
"""Variance of every view at the start; the variance of a difference is then 1 (docs/understand/method.md)."""

PREFIX = "uncertainty."


class UncertaintyHead(nn.Module):
    """Map features [N, D] to variances ≥ `min_variance`: [N, 1] (isotropic), [N, d] (diagonal) or [N, K] (subspace)."""

    def __init__(self, features: int, outputs: int, spec: UncertaintySpec) -> None:
        """Build the head for `outputs` variances. Its last layer is zero, so that all variances start at `START`."""
        super().__init__()
        self.spec, self.min_variance = spec, spec.min_variance
        self.hidden = nn.Linear(features, spec.hidden)
        self.output = nn.Linear(spec.hidden, outputs)
        nn.init.zeros_(self.output.weight)
        nn.init.constant_(self.output.bias, math.log(math.expm1(max(START - spec.min_variance, 1e-3))))

    def forward(self, features: Tensor) -> Tensor:
        """Return the predicted variance σ² of each view, float32."""
        hidden = self.hidden(features.float()).relu()
        return self.min_variance + functional.softplus(self.output(hidden))

    def of_views(self, features: Tensor) -> Tensor:
        """Return the variance for the objective: in the form `relative` the encoder gets no gradient through it."""
        return self(features.detach() if self.spec.form == "relative" else features)


def load_uncertainty_head(heads_file: Path) -> UncertaintyHead | None:
    """Read the head from a run's `heads.safetensors`; None if the run has no uncertainty.

    Raises:
        MastError: the file is missing or damaged.
    """
    weights, metadata = read_weights(heads_file)
    own = {name.removeprefix(PREFIX): tensor for name, tensor in weights.items() if name.startswith(PREFIX)}
    if not own:
        return None
    spec = parse_spec(UncertaintySpec, metadata["uncertainty"])
    head = UncertaintyHead(own["hidden.weight"].shape[1], own["output.weight"].shape[0], spec)
    head.load_state_dict(own, strict=True)
    return head.eval()
