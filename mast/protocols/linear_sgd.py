"""Linear evaluation as on ImageNet: a head trained by SGD on augmented images, on top of the frozen encoder."""

from typing import Literal

from mast.evaluation.images import labelled_images
from mast.evaluation.inputs import EncoderInputs, Measured
from mast.evaluation.metrics import chance_levels, classification_metrics
from mast.protocols import PlannedTask
from mast.protocols._sgd import SgdProtocol
from mast.settings import Count, NonNegative, Positive


class LinearSgdProtocol(SgdProtocol):
    """A linear head on the frozen encoder, trained on crops and flips (facebookresearch/vicreg, evaluate.py)."""

    CAPTION = (
        "Linear evaluation: a linear head trained by SGD on random crops and flips of the images, the encoder frozen. "
        "Scored after the last epoch."
    )

    kind: Literal["linear-sgd"]
    epochs: Count = 100
    lr_head: Positive = 0.02
    weight_decay: NonNegative = 1e-6

    def check(self, name: str, task: PlannedTask) -> None:
        """There is one batch of training images."""
        self.check_count(name, task, "batch_size")

    def evaluate(self, inputs: EncoderInputs) -> Measured | None:
        """Train a linear head for every target of a task.

        The protocol is VICReg's (evaluate.py): the encoder frozen and in eval mode; SGD with momentum, cosine schedule;
        random resized crop and flip in training, images as prepared when they are scored. `top1`, `top5` (more than 5
        classes) and `mean_per_class` are those after the last epoch. `top1_best_epoch` is the highest top-1 after any
        epoch: it is chosen on the images that are scored, so it says how much would be gained by such a choice and is
        no result.
        """
        import torch

        from mast.evaluation.sgd import Backbone, HeadTraining, build_heads

        images = labelled_images(inputs.task, self.split)
        backbone = Backbone.load(inputs.encoder, inputs.seed, inputs.device, world=inputs.world)
        heads = build_heads(backbone, [len(classes) for classes in inputs.task.targets.values()])
        features = backbone.encode(images.score_images)

        @torch.no_grad()
        def score() -> list[dict[str, float]]:
            scores = [head(features).cpu().numpy() for head in heads]
            return [classification_metrics(own, images.score_labels[:, t]) for t, own in enumerate(scores)]

        training = HeadTraining(inputs.protocol, self, backbone, heads, images, inputs.seed, score=score)
        training.run(inputs.saved(self))
        if not inputs.world.leads:
            return None
        metrics = {
            target: training.history[-1][t] | {"top1_best_epoch": max(epoch[t]["top1"] for epoch in training.history)}
            for t, target in enumerate(inputs.task.targets)
        }
        counts = {"train": len(images.train_images), "test": len(images.score_images)}
        return Measured(metrics, counts, chance=chance_levels(inputs.task.targets, images.score_labels))
