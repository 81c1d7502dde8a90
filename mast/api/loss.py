"""MAST's objective for your own training loops."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mast.config.pretrain import ObjectiveSpec
from mast.models.masks import Masks
from mast.models.settings import MaskSpec, UncertaintySpec
from mast.models.uncertainty import UncertaintyHead
from mast.objectives.mast import mast_terms
from mast.objectives.weighted import weighted_sum


class MastLoss(nn.Module):
    """MAST's loss of a batch of pairs, including its masks and its uncertainty head (docs/understand/method.md).

    The masks are parameters of the loss: give `parameter_groups` to the optimiser, move the loss to the device of the
    network, and save it with the model.

    >>> import torch, mast
    >>> network = torch.nn.Linear(32, 64)  # stands for encoder and projector
    >>> loss = mast.MastLoss(augmentations=5, dimensions=64)
    >>> groups = [{"params": network.parameters()}, *loss.parameter_groups(lr=1e-3)]
    >>> optimizer = torch.optim.AdamW(groups, lr=1e-3)
    >>> z_a, z_b = network(torch.randn(16, 32)), network(torch.randn(16, 32))
    >>> loss(z_a, z_b, active=torch.ones(16, 5, dtype=torch.bool)).backward()
    >>> optimizer.step()

    Attributes:
        masks: module that returns M when called without arguments, float32 [K, d] in [0, 1].
        uncertainty: module that maps features [N, D] to variances, or None.
    """

    def __init__(
        self,
        augmentations: int,
        dimensions: int,
        features: int | None = None,
        *,
        masks: Mapping[str, Any] | None = None,
        uncertainty: Mapping[str, Any] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """Build the loss. Settings have the keys of a configuration (config/README.md); the masks start at random
        values.

        Args:
            augmentations: K, the number of augmentations and of columns of `active`.
            dimensions: d, the width of the embeddings.
            features: D, the width of the encoder's features; needed with uncertainty.
            masks: `kind`, `keep`, `temperature`, ….
            uncertainty: `kind` (by default `none`), `form`, ….
            weights: weights of the terms `invariance`, `variance` and `covariance`; by default VICReg's 25, 25 and 1.

        Raises:
            ValueError: a setting is unknown or out of its range, or `features` is missing.
        """
        super().__init__()
        if augmentations < 1 or dimensions < 1:
            raise ValueError(f"augmentations, dimensions: {augmentations}, {dimensions}; expected 1 or more of each")
        self._mask_settings = MaskSpec(**(masks or {}))
        self._uncertainty_settings = UncertaintySpec(**(uncertainty or {}))
        self._weights = ObjectiveSpec(**(weights or {})).model_dump()
        self._shape = (augmentations, dimensions)
        self.masks = Masks(augmentations, dimensions, self._mask_settings)
        self.uncertainty, self._width = None, None
        if outputs := self._uncertainty_settings.outputs(*self._shape):
            if features is None:
                raise ValueError("features: the width of the encoder's features is needed with uncertainty")
            self._width = features
            self.uncertainty = UncertaintyHead(features, outputs, self._uncertainty_settings)

    def forward(
        self,
        z_a: Tensor,
        z_b: Tensor,
        active: Tensor,
        features_a: Tensor | None = None,
        features_b: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss, a float32 scalar: `total` of `terms`, which has the same arguments."""
        return self.total(self.terms(z_a, z_b, active, features_a, features_b))

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of `terms`, a float32 scalar."""
        return weighted_sum(terms, self._weights)

    def terms(
        self,
        z_a: Tensor,
        z_b: Tensor,
        active: Tensor,
        features_a: Tensor | None = None,
        features_b: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the unweighted terms by name, float32 scalars.

        Args:
            z_a: embeddings of view a, [N, d], N ≥ 2.
            z_b: embeddings of view b, [N, d].
            active: bool [N, K], from `PairedAugmentation`.
            features_a: the encoder's features of view a, [N, D]; read with uncertainty only.
            features_b: the encoder's features of view b, [N, D].

        Raises:
            ValueError: the shapes do not fit together, or features are missing.
        """
        count, (augmentations, dimensions) = len(z_a), self._shape
        expected = {"z_a": (count, dimensions), "z_b": (count, dimensions), "active": (count, augmentations)}
        given = {"z_a": z_a, "z_b": z_b, "active": active}
        if self._width is not None and features_a is not None and features_b is not None:
            expected |= dict.fromkeys(("features_a", "features_b"), (count, self._width))
            given |= {"features_a": features_a, "features_b": features_b}
        for name, tensor in given.items():
            if tensor.shape != expected[name]:
                raise ValueError(f"{name}: shape {tuple(tensor.shape)}; expected {expected[name]}")
        if count < 2:
            raise ValueError(f"z_a: {count} pair in the batch; variance and covariance need two or more")
        variances = (self._variance(features_a), self._variance(features_b))
        settings = (self._mask_settings, self._uncertainty_settings)
        return mast_terms(z_a, z_b, self.masks(), active.to(z_a.device), *settings, *variances)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Return parameter groups for an optimiser: the masks, with a faster rate and without weight decay, then the
        head.

        Args:
            lr: the optimiser's learning rate; the masks get `masks.lr_factor` times as much.
        """
        masks = [parameter for parameter in self.masks.parameters() if parameter.requires_grad]
        groups = [{"params": masks, "lr": lr * self._mask_settings.lr_factor, "weight_decay": 0.0}]
        if self.uncertainty is not None:
            groups.append({"params": list(self.uncertainty.parameters()), "lr": lr})
        return [group for group in groups if group["params"]]

    def _variance(self, features: Tensor | None) -> Tensor | None:
        if self.uncertainty is None:
            return None
        if features is None:
            raise ValueError("features_a, features_b: both are needed with uncertainty")
        return self.uncertainty.of_views(features)
