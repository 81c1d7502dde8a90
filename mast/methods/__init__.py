"""One file per method: what it trains, the loss of a batch, what it reads, logs and stores.

A method is a subclass of `Method` in a module of this folder. Configurations choose it by the name of that module, with
`-` for `_`. Workflows are planned with methods at hand, so their modules import torch inside functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mast.catalogue import Catalogue
from mast.settings import StrictModel

if TYPE_CHECKING:
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
"""The settings that every method reads which trains, and the version of the code that trains."""


class Outcome(NamedTuple):
    """One batch's loss with gradient, its unweighted terms, and the detached representation to watch for collapse."""

    loss: Tensor
    terms: dict[str, Tensor]
    embedding: Tensor


class Method:
    """One way to train an encoder; made anew for each run.

    `learner` is what is trained: the encoder, and by their names the networks that `networks` returns. It does what
    methods share: it augments and embeds.
    """

    READS: ClassVar[frozenset[str]] = TRAINING
    """Settings of a run (fields of `PretrainSpec`) that it reads, beside `method`, `dataset` and `encoder`.

    All others are left out of the run's settings, so that their change does not train it again."""

    SETTINGS: ClassVar[type[StrictModel] | None] = None
    """Settings of its own: a section of a run's settings under the method's name, with `_` for `-`."""

    NEEDS_LABELS: ClassVar[bool] = False

    def __init__(self, spec: Any) -> None:
        """`spec` are the run's settings (`PretrainSpec`)."""
        self.spec = spec

    @classmethod
    def check(cls, spec: Any) -> None:
        """Raise ValueError where settings (`PretrainSpec`) do not fit together; called when a configuration is read."""

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """What is trained beside the encoder, by name.

        Called after the encoder is built, so that one seed starts every method from the same encoder.

        Args:
            features: D, the width of the encoder's output.
            classes: number of classes of each target; empty for data without labels.
        """
        return {}

    def pairing(self) -> PairingSpec | None:
        """How the two views of an image share augmentations; None where the method trains on single views, or none."""
        return None

    def draw(self, policy: Policy, count: int, generator: Generator) -> Drawn:
        """How each of `count` images is augmented in each of its views: as `pairing` says, or in a single view.

        It is asked before the images are read, for their crops may be cut from the files. It depends on nothing but its
        arguments.

        Args:
            policy: the run's.
            count: of images, those of all processes.
            generator: on the CPU.
        """
        from mast.augment.pairing import draw_pair
        from mast.augment.views import Drawn

        pairing = self.pairing()
        if pairing is None:
            return Drawn((policy.sample(count, 0, generator),))
        return Drawn.of_pair(draw_pair(policy, pairing, count, generator))

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """The loss of one batch.

        Args:
            learner: what is trained.
            views: those that `draw` drew, each with its images, on the learner's device. In several processes the
                images are this one's share, and the loss is that of all processes' images.
            labels: int64 [N, T], or None.
        """
        raise NotImplementedError

    def fast_parameters(self, learner: Learner) -> tuple[list[nn.Parameter], float]:
        """Parameters with a learning rate of their own, without weight decay and trust ratio, and it as a factor."""
        return [], 1.0

    def logged(self, learner: Learner) -> dict[str, float | list[float]]:
        """What a logged line holds beside the terms."""
        return {}

    def stored(self, learner: Learner) -> dict[str, Tensor]:
        """The tensors of `heads.safetensors`: all that is trained and is not the encoder."""
        return {
            f"{name}.{key}": tensor
            for name, network in learner.heads().items()
            for key, tensor in network.state_dict().items()
        }

    def stored_settings(self) -> dict[str, str]:
        """What the metadata of `heads.safetensors` say of the method (optional fields of `records.HeadsMetadata`)."""
        return {}


METHODS = Catalogue("mast.methods", Method)
