"""A linear classifier per target on the encoder, trained with it. It shows that the tasks can be learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mast.methods import Method, Outcome

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mast.augment.views import Views
    from mast.learner import Learner


class Supervised(Method):
    """Cross-entropy of one augmented view, averaged over targets."""

    NEEDS_LABELS: ClassVar[bool] = True

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """Return the classifiers."""
        from torch import nn

        return {"classifiers": nn.ModuleList(nn.Linear(features, count) for count in classes)}

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return the cross-entropy; see Method."""
        import torch
        from torch.nn import functional

        (view,) = map(learner.view, views)
        with learner.autocast():
            features = learner.world.gather(learner.encoder(view))
            logits = [classifier(features) for classifier in learner.classifiers]
        labels = learner.world.gather(labels)
        losses = [functional.cross_entropy(scores.float(), labels[:, t]) for t, scores in enumerate(logits)]
        loss = torch.stack(losses).mean()
        return Outcome(loss, {"cross_entropy": loss}, features.detach())
