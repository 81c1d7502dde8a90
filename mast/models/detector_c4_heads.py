"""Proposals and heads of R50-C4: computations on a feature map, and the losses of detectron2."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss
from torchvision.models.detection.roi_heads import RoIHeads, maskrcnn_inference
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import roi_align

MASK_THRESHOLD = 0.5
"""Share of a cell from which on it belongs to an object (detectron2, structures/masks.py, BitMasks.crop_and_resize)."""


class ProposalNetwork(RegionProposalNetwork):
    """Region proposal network with L1 loss (MODEL.RPN.SMOOTH_L1_BETA 0); torchvision's is smooth with β = 1/9."""

    def __init__(self, *parts: Any, weight: float = 1.0, **settings: Any) -> None:
        """Build torchvision's network, with the `weight` of both losses (MODEL.RPN.LOSS_WEIGHT)."""
        super().__init__(*parts, **settings)
        self.weight = weight

    def compute_loss(
        self, objectness: Tensor, pred_bbox_deltas: Tensor, labels: list[Tensor], regression_targets: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the losses of objectness and of boxes on sampled anchors (detectron2,
        modeling/proposal_generator/rpn.py).

        Args:
            objectness: logits of all anchors of all images, [A, 1].
            pred_bbox_deltas: [A, 4].
            labels: per image, float [anchors]: 1, 0, or −1 for neither.
            regression_targets: per image, [anchors, 4].

        Returns:
            Sums over the samples, divided by the requested number of samples (not the number found), times `weight`.
        """
        positive, negative = (torch.cat(sampled).bool() for sampled in self.fg_bg_sampler(labels))
        sampled, share = positive | negative, self.weight / (self.fg_bg_sampler.batch_size_per_image * len(labels))
        truth, targets = torch.cat(labels)[sampled], torch.cat(regression_targets)[positive]
        loss_objectness = binary_cross_entropy_with_logits(objectness.flatten()[sampled], truth, reduction="sum")
        return share * loss_objectness, share * l1_loss(pred_bbox_deltas[positive], targets, reduction="sum")


class Res5Heads(RoIHeads):
    """Heads for boxes, and for masks if there is a `mask_predictor`, on the same features of a region.

    `box_head` maps pooled regions [R, C, 14, 14] to their features [R, D, 7, 7].
    """

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Return the detections of each image; in training, no detections but the losses.

        Args:
            features: the only feature map, [N, C, h, w].
            proposals: per image, [n, 4], pixels.
            image_shapes: height and width of each image.
            targets: per image, `boxes`, `labels` and with masks `masks`, as in `mast.evaluation.detection_images`.
        """
        [level] = features.values()
        if self.training:
            return [], self._losses(level, proposals, targets)
        return self._detections(level, proposals, image_shapes), {}

    def _losses(self, level: Tensor, proposals: list[Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        proposals, matched, labels, deltas = self.select_training_samples(proposals, targets)
        regions = self.box_head(self.box_roi_pool(level, proposals))
        logits, predicted = self.box_predictor(regions.mean(dim=(2, 3)))
        classes = torch.cat(labels)
        losses = {
            "loss_classifier": cross_entropy(logits, classes),
            "loss_box_reg": box_loss(predicted, classes, torch.cat(deltas)),
        }
        if self.mask_predictor is not None:
            found = [label > 0 for label in labels]
            wanted = [
                mask_targets(target["masks"], boxes[own], which[own], 2 * regions.shape[-1])
                for target, boxes, which, own in zip(targets, proposals, matched, found, strict=True)
            ]
            own = torch.cat(found)
            losses["loss_mask"] = mask_loss(self.mask_predictor(regions[own]), classes[own], torch.cat(wanted))
        return losses

    def _detections(
        self, level: Tensor, proposals: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        regions = self.box_head(self.box_roi_pool(level, proposals))
        found = self.postprocess_detections(*self.box_predictor(regions.mean(dim=(2, 3))), proposals, image_shapes)
        results = [
            {"boxes": boxes, "scores": scores, "labels": labels} for boxes, scores, labels in zip(*found, strict=True)
        ]
        if self.mask_predictor is not None:
            boxes, _, labels = found
            logits = self.mask_predictor(self.box_head(self.box_roi_pool(level, boxes)))
            for result, masks in zip(results, maskrcnn_inference(logits, labels), strict=True):
                result["masks"] = masks
        return results


def box_loss(predicted: Tensor, classes: Tensor, wanted: Tensor) -> Tensor:
    """Return the L1 loss between the boxes of regions with an object and the prediction of its class, divided by all
    regions.

    MODEL.ROI_BOX_HEAD.SMOOTH_L1_BETA is 0; torchvision's is smooth with β = 1/9.

    Args:
        predicted: [R, 4 · (classes + 1)].
        classes: int64 [R], 0 for the background.
        wanted: [R, 4].
    """
    regions = torch.where(classes > 0)[0]
    own = predicted.reshape(len(classes), -1, 4)[regions, classes[regions]]
    return l1_loss(own, wanted[regions], reduction="sum") / len(classes)


def mask_targets(masks: Tensor, boxes: Tensor, which: Tensor, side: int) -> Tensor:
    """Return masks within boxes as float [k, side, side] of 0 and 1, by ROIAlign with half a pixel's shift.

    Args:
        masks: uint8 [n, H, W] of 0 and 1.
        boxes: [k, 4], pixels.
        which: int64 [k], index of each box's mask.
        side: number of cells along each side of a box.
    """
    places = torch.cat([which[:, None].to(boxes), boxes], dim=1)
    shares = roi_align(masks[:, None].to(boxes), places, side, sampling_ratio=0, aligned=True)
    return (shares[:, 0] >= MASK_THRESHOLD).to(boxes)


def mask_loss(logits: Tensor, classes: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of the masks [R, classes + 1, m, m] of each region's own class; 0 without
    regions.
    """
    if not len(classes):
        return logits.sum() * 0
    return binary_cross_entropy_with_logits(logits[torch.arange(len(classes), device=classes.device), classes], wanted)
