"""What is trained: encoder and heads, and the loss of one batch, for each method."""

import json
import os
import shutil
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.policy import Policy, unit_float
from mast.config import PretrainSpec
from mast.distributed import ALONE
from mast.errors import MastError
from mast.models.encoder import build_encoder, normalise
from mast.models.masks import Masks
from mast.models.projector import build_projector
from mast.models.uncertainty import UncertaintyHead
from mast.objectives.mast import mast_terms
from mast.objectives.vicreg import vicreg_terms


class Outcome(NamedTuple):
    """One batch's loss with gradient, its unweighted terms, and the detached representation to watch for collapse."""

    loss: Tensor
    terms: dict[str, Tensor]
    embedding: Tensor


class Learner(nn.Module):
    """Encoder, policy and normalisation: what all methods share."""

    def __init__(self, spec: PretrainSpec, image_size: int, mean: list[float], std: list[float]) -> None:
        """Build the encoder first, so that one seed starts every method from the same weights."""
        super().__init__()
        self.spec, self.world = spec, ALONE
        self.encoder = build_encoder(spec.encoder)
        self.policy = Policy(spec.policy, image_size) if spec.policy is not None else None
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor, labels: Tensor | None, generator: torch.Generator) -> Outcome:
        """Loss of uint8 images [N, 3, H, W]; `labels` int64 [N, T] or None; `generator` draws the augmentations.

        In several processes N is this one's share, and the loss is that of all processes' images.
        """
        raise NotImplementedError

    def compile_networks(self) -> None:
        """Let torch compile the encoder, and the projector if there is one; names of weights stay as they are.

        Raises:
            MastError: there is no compiler for this device.
        """
        compiler = os.environ.get("CXX", "g++")
        if self.mean.device.type == "cpu" and shutil.which(compiler) is None:
            raise MastError(f"compile: there is no C++ compiler {compiler!r} here; install one, or set compile: false")
        self.encoder.compile()
        if hasattr(self, "projector"):
            self.projector.compile()

    def fast_parameters(self) -> list[nn.Parameter]:
        """Parameters with a learning rate of their own."""
        return []

    def heads(self) -> dict[str, Tensor]:
        """Tensors of `heads.safetensors`: all that is trained and is not the encoder."""
        return {}

    def heads_metadata(self) -> dict[str, str]:
        """Metadata of `heads.safetensors`."""
        return {"augmentations": json.dumps(self.policy.names if self.policy else [])}

    def indicators(self) -> dict[str, float | list[float]]:
        """What the method adds to a logged line."""
        return {}

    def _view(self, images: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        rows = self.world.rows(len(images))
        own = {name: values[rows] for name, values in parameters.items()}
        view = normalise(self.policy.apply(images, own), self.mean, self.std)
        return view.contiguous(memory_format=torch.channels_last)

    def _autocast(self, device: torch.device) -> torch.autocast:
        types = {"bf16": torch.bfloat16, "fp16": torch.float16}
        reduced = types.get(self.spec.precision)
        return torch.autocast(device.type, dtype=reduced, enabled=reduced is not None)


class Untrained(Learner):
    """An encoder as it is initialised."""


class Vicreg(Learner):
    """VICReg: two views of each image, each through encoder and projector on its own (batch statistics per view)."""

    def __init__(self, spec: PretrainSpec, image_size: int, mean: list[float], std: list[float]) -> None:
        """Add the projector."""
        super().__init__(spec, image_size, mean, std)
        self.projector = build_projector(self.encoder.num_features, spec.projector)

    def forward(self, images: Tensor, labels: Tensor | None, generator: torch.Generator) -> Outcome:
        """VICReg's loss on composed pairs."""
        images = unit_float(images)  # once for both views
        pair = draw_pair(self.policy, COMPOSED, self.world.size * len(images), generator)
        z_a, z_b = (self.world.gather(self._embed(self._view(images, view))[1]) for view in (pair.a, pair.b))
        return self._weighted(vicreg_terms(z_a, z_b), z_a)

    def heads(self) -> dict[str, Tensor]:
        """The projector."""
        return _prefixed("projector", self.projector)

    def _embed(self, view: Tensor) -> tuple[Tensor, Tensor]:
        with self._autocast(view.device):
            features = self.encoder(view)
            return features, self.projector(features)

    def _weighted(self, terms: dict[str, Tensor], embedding: Tensor) -> Outcome:
        weights = self.spec.objective.model_dump()
        loss = sum(weights.get(name, 1.0) * term for name, term in terms.items())
        return Outcome(loss, terms, embedding.detach())


class Mast(Vicreg):
    """MAST: VICReg with a learnable mask per augmentation and uncertainty (mast/objectives/mast.py)."""

    def __init__(self, spec: PretrainSpec, image_size: int, mean: list[float], std: list[float]) -> None:
        """Add masks and, where asked for, the uncertainty head."""
        super().__init__(spec, image_size, mean, std)
        uncertainty, dimensions = spec.mast.uncertainty, spec.projector.output
        self.masks = Masks(len(self.policy.names), dimensions, spec.mast.masks)
        self.uncertainty = None
        if uncertainty.kind != "none":
            self.uncertainty = UncertaintyHead(self.encoder.num_features, dimensions, uncertainty)

    def forward(self, images: Tensor, labels: Tensor | None, generator: torch.Generator) -> Outcome:
        """MAST's loss on pairs drawn by the configured pairing."""
        images = unit_float(images)  # once for both views
        pair = draw_pair(self.policy, self.spec.mast.pairing, self.world.size * len(images), generator)
        features_a, z_a = map(self.world.gather, self._embed(self._view(images, pair.a)))
        features_b, z_b = map(self.world.gather, self._embed(self._view(images, pair.b)))
        active = pair.active.to(z_a.device, non_blocking=True)
        variances = (self._variance(features_a), self._variance(features_b))
        return self._weighted(mast_terms(z_a, z_b, self.masks(), active, self.spec.mast, *variances), z_a)

    def fast_parameters(self) -> list[nn.Parameter]:
        """The mask logits."""
        return list(self.masks.parameters())

    def heads(self) -> dict[str, Tensor]:
        """Projector, evaluated masks and their logits, uncertainty head."""
        uncertainty = _prefixed("uncertainty", self.uncertainty) if self.uncertainty is not None else {}
        masks = {"masks": self.masks().detach(), "mask_logits": self.masks.logits.detach()}
        return super().heads() | masks | uncertainty

    def heads_metadata(self) -> dict[str, str]:
        """Adds the settings from which the uncertainty head is rebuilt."""
        return super().heads_metadata() | {"uncertainty": self.spec.mast.uncertainty.model_dump_json()}

    def indicators(self) -> dict[str, float | list[float]]:
        """Mean and minimum of each mask."""
        masks = self.masks().detach()
        return {"mask_mean": masks.mean(dim=1).tolist(), "mask_min": masks.amin(dim=1).tolist()}

    def _variance(self, features: Tensor) -> Tensor | None:
        if self.uncertainty is None:
            return None
        relative = self.spec.mast.uncertainty.form == "relative"
        return self.uncertainty(features.detach() if relative else features)


class Supervised(Learner):
    """A linear classifier per target on the encoder, trained with it: shows that the tasks can be learned."""

    def __init__(
        self, spec: PretrainSpec, image_size: int, mean: list[float], std: list[float], classes: list[int]
    ) -> None:
        """Add the classifiers; `classes` holds the number of classes of each target."""
        super().__init__(spec, image_size, mean, std)
        self.classifiers = nn.ModuleList(nn.Linear(self.encoder.num_features, count) for count in classes)

    def forward(self, images: Tensor, labels: Tensor | None, generator: torch.Generator) -> Outcome:
        """Cross-entropy of one augmented view, averaged over targets."""
        view = self._view(images, self.policy.sample(self.world.size * len(images), 0, generator))
        with self._autocast(view.device):
            features = self.world.gather(self.encoder(view))
            logits = [classifier(features) for classifier in self.classifiers]
        labels = self.world.gather(labels)
        losses = [functional.cross_entropy(scores.float(), labels[:, t]) for t, scores in enumerate(logits)]
        loss = torch.stack(losses).mean()
        return Outcome(loss, {"cross_entropy": loss}, features.detach())

    def heads(self) -> dict[str, Tensor]:
        """The classifiers."""
        return _prefixed("classifiers", self.classifiers)


def _prefixed(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}
