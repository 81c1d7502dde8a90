"""Linear evaluation as on ImageNet: a head trained by SGD on augmented images, on top of the frozen encoder."""

from dataclasses import replace
from typing import Any, ClassVar, Literal

from mast.evaluation.images import labelled_images
from mast.evaluation.inputs import EncoderInputs, Measured
from mast.evaluation.metrics import chance_levels, classification_metrics
from mast.protocols import PlannedTask
from mast.protocols._sgd import SgdProtocol
from mast.settings import Count, NonNegative, Positive


class LinearSgdProtocol(SgdProtocol):
    """A linear head on the frozen encoder, trained on crops and flips.

    The defaults are VICReg's on ImageNet (facebookresearch/vicreg, evaluate.py). With `head: normalised`, `schedule:
    steps` and Nesterov momentum it is VISSL's linear evaluation, as on Places205 and iNaturalist 2018
    (docs/understand/protocols.md).
    """

    CAPTION = (
        "Linear evaluation: a linear head trained by SGD on random crops and flips of the images, the encoder frozen. "
        "Scored after the last epoch."
    )

    LATER: ClassVar[dict[str, Any]] = SgdProtocol.LATER | {"head": "linear", "pooling": "global"}

    kind: Literal["linear-sgd"]
    epochs: Count = 100
    lr_head: Positive = 0.02
    weight_decay: NonNegative = 1e-6
    head: Literal["linear", "normalised"] = "linear"
    """`linear`: weights drawn from N(0, 0.01), biases 0 (VICReg). `normalised`: batch norm over the features, whose
    scale and shift have no weight decay, then a linear layer with torch's initialisation (VISSL's `eval_mlp`).
    """
    pooling: Literal["global", "grid"] = "global"
    """How the last stage's map becomes features. `global`: the mean over all positions. `grid`: four means, over
    windows one position smaller than the map, at the 2 × 2 positions where they fit (VISSL's `res5`).
    """

    def check(self, name: str, task: PlannedTask) -> None:
        """Check that there is one batch of training images."""
        self.check_count(name, task, "batch_size")

    def evaluate(self, inputs: EncoderInputs) -> Measured | None:
        """Train a linear head for every target of a task.

        The encoder is frozen and in eval mode; SGD with momentum; random resized crop and flip in training, whole
        images when they are scored. `top1`, `top5` (more than 5 classes) and `mean_per_class` are those after the last
        epoch. `top1_best_epoch` is the highest top-1 after any epoch: it is chosen on the scored images, so it shows
        how much such a choice would gain and is not a result.

        Raises:
            MastError: `pooling: grid` on images that leave fewer than 2 × 2 positions.
        """
        import torch

        from mast.evaluation.heads import SIDE, GridFeatures, normalised_heads
        from mast.evaluation.sgd import Backbone, HeadTraining, build_heads

        images = labelled_images(inputs.task, self.split)
        backbone = Backbone.load(inputs.encoder, inputs.seed, inputs.device, world=inputs.world)
        positions = 1
        if self.pooling == "grid":
            backbone, positions = replace(backbone, model=GridFeatures(backbone.model).eval()), SIDE**2
        classes = [len(names) for names in inputs.task.targets.values()]
        if self.head == "normalised":
            heads = normalised_heads(backbone.model.num_features, positions, classes, backbone.device)
            inputs.world.prepare(heads)
        else:
            heads = build_heads(backbone, classes)
        features = backbone.encode(images.score_images)

        @torch.no_grad()
        def score() -> list[dict[str, float]]:
            heads.eval()
            scores = [head(features).cpu().numpy() for head in heads]
            heads.train()
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
