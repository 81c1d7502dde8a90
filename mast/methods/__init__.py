"""One file per method: what it trains, the loss of a batch, what it reads, logs and stores.

A method is a subclass of `Method` in a module of this folder. Configurations choose it by the name of that module, with
`-` for `_`. Planning a workflow imports the methods, so their modules import torch inside functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mast.catalogue import Catalogue
from mast.errors import MastError
from mast.settings import StrictModel

if TYPE_CHECKING:
    import numpy as np
    from torch import Generator, Tensor, nn

    from mast.augment.policy import Policy
    from mast.augment.settings import PairingSpec
    from mast.augment.views import Drawn, Views
    from mast.learner import Learner

TRAINING = frozenset(
    {
        *("version", "policy", "optimizer", "epochs", "batch_size", "last_batch", "accumulate", "precision"),
        *("compile", "log_every", "checkpoint_minutes"),
    }
)
"""Settings that every method that trains reads, including the version of the code that trains."""


class Outcome(NamedTuple):
    """Loss of one batch with gradient, its unweighted terms, and the detached representation to check for collapse."""

    loss: Tensor
    terms: dict[str, Tensor]
    embedding: Tensor


class Method:
    """One way to train an encoder; created anew for each run.

    The `learner` contains the trained networks: the encoder, and by name those that `networks` returns. It does what
    methods share: it augments and embeds.
    """

    READS: ClassVar[frozenset[str]] = TRAINING
    """Settings of a run (fields of `PretrainSpec`) that the method reads, in addition to `method`, `dataset` and
    `encoder`.

    All others are left out of the run's settings, so that changing them does not retrain the run."""

    SETTINGS: ClassVar[type[StrictModel] | None] = None
    """Settings of the method itself: a section of a run's settings under the method's name, with `_` for `-`."""

    NEEDS_LABELS: ClassVar[bool] = False

    def __init__(self, spec: Any) -> None:
        """Keep the run's settings (`PretrainSpec`)."""
        self.spec = spec

    @classmethod
    def check(cls, spec: Any) -> None:
        """Raise ValueError if settings (`PretrainSpec`) do not fit together; called when a configuration is read."""

    @classmethod
    def check_labels(cls, dataset: str, labels: np.ndarray | None) -> None:
        """Raise MastError if the method needs labels and a dataset's training images (int64 [N, T] or None) lack some.

        A label of −1 means that a class is to be ignored in an image.
        """
        if not cls.NEEDS_LABELS:
            return
        if labels is None:
            raise MastError(f"the method needs labels, which {dataset!r} does not have; choose other data")
        if labels.min() < 0:
            raise MastError(
                f"the method needs a label of every image, and {dataset!r} has images for which a class is to be "
                "ignored (label −1); choose other data"
            )

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """Return the networks that are trained with the encoder, by name.

        It is called after the encoder is built, so that one seed gives every method the same initial encoder.

        Args:
            features: D, the width of the encoder's output.
            classes: number of classes of each target; empty for data without labels.
        """
        return {}

    def pairing(self) -> PairingSpec | None:
        """Return how the two views of an image share augmentations; None if the method trains on single views or not at
        all.
        """
        return None

    def draw(self, policy: Policy, count: int, generator: Generator) -> Drawn:
        """Draw how each of `count` images is augmented in each of its views: according to `pairing`, or in a single
        view.

        It is called before the images are read, because their crops may be cut from the files. The result depends only
        on the arguments.

        Args:
            policy: policy of the run.
            count: number of images of all processes.
            generator: random generator on the CPU.
        """
        from mast.augment.pairing import draw_pair
        from mast.augment.views import Drawn

        pairing = self.pairing()
        if pairing is None:
            return Drawn((policy.sample(count, 0, generator),))
        return Drawn.of_pair(draw_pair(policy, pairing, count, generator))

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return the loss of one batch.

        Args:
            learner: the networks that are trained.
            views: the views from `draw`, each with its images, on the learner's device. In several processes the images
                are the share of this process, and the loss is that of all processes' images.
            labels: int64 [N, T], or None.
        """
        raise NotImplementedError

    def fast_parameters(self, learner: Learner) -> tuple[list[nn.Parameter], float]:
        """Return parameters with their own learning rate, without weight decay and trust ratio, and the factor of that
        rate.
        """
        return [], 1.0

    def logged(self, learner: Learner) -> dict[str, float | list[float]]:
        """Return what a logged line has in addition to the terms."""
        return {}

    def stored(self, learner: Learner) -> dict[str, Tensor]:
        """Return the tensors of `heads.safetensors`: all that is trained except the encoder."""
        return {
            f"{name}.{key}": tensor
            for name, network in learner.heads().items()
            for key, tensor in network.state_dict().items()
        }

    def stored_settings(self) -> dict[str, str]:
        """Return the method's metadata for `heads.safetensors` (optional fields of `records.HeadsMetadata`)."""
        return {}


METHODS = Catalogue("mast.methods", Method)
