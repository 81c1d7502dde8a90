"""Proposals and heads of R50-C4: computations on a feature map, and the losses of detectron2."""

from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads, maskrcnn_inference
from torchvision.models.detection.rpn import RegionProposalNetwork, concat_box_prediction_layers

from mast.models.detector_masks import mask_targets
from mast.models.ragged import parts_of


class ProposalNetwork(RegionProposalNetwork):
    """Region proposal network with L1 loss (MODEL.RPN.SMOOTH_L1_BETA 0); torchvision's is smooth with β = 1/9."""

    def __init__(self, *parts: Any, weight: float = 1.0, **settings: Any) -> None:
        """Build torchvision's network, with the `weight` of both losses (MODEL.RPN.LOSS_WEIGHT)."""
        super().__init__(*parts, **settings)
        self.weight = weight

    def forward(
        self, images: ImageList, features: dict[str, Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Proposed boxes [p, 4] of each image, and when training the losses.

        Args:
            images: as `ReferenceTransform` gives them.
            features: of one level, ragged if the images are.
            targets: of each image, `boxes`.
        """
        [level] = features.values()
        [scores], [moves] = self.head([level])
        proposals, anchors, predicted = [], [], []
        for padded, own, score, move in zip(*map(parts_of, (images.tensors, level, scores, moves)), strict=True):
            sizes = images.image_sizes[len(anchors) :][: len(padded)]
            places = self.anchor_generator(ImageList(padded, sizes), [own])
            logits, deltas = (flat.float() for flat in concat_box_prediction_layers([score], [move]))
            boxes = self.box_coder.decode(deltas.detach(), places).view(len(places), -1, 4)
            proposals += self.filter_proposals(boxes, logits, sizes, [len(places[0])])[0]
            anchors += places
            predicted.append((logits, deltas))
        if not self.training:
            return proposals, {}
        labels, matched = self.assign_targets_to_anchors(anchors, targets)
        both = (torch.cat(values) for values in zip(*predicted, strict=True))
        objectness, boxes = self.compute_loss(*both, labels, self.box_coder.encode(matched, anchors))
        return proposals, {"loss_objectness": objectness, "loss_rpn_box_reg": boxes}

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

    def __init__(self, part: int, **settings: Any) -> None:
        """torchvision's. Losses are means over parts of `part` images, which detectron2 has on a GPU each."""
        super().__init__(**settings)
        self._part = part

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
        regions = self.box_head(self._pooled(level, proposals))
        logits, predicted = self.box_predictor(regions.mean(dim=(2, 3)))
        classes = torch.cat(labels)
        shares = part_shares(labels, self._part)
        losses = {
            "loss_classifier": (shares * cross_entropy(logits, classes, reduction="none")).sum(),
            "loss_box_reg": box_loss(predicted, classes, torch.cat(deltas), shares),
        }
        if self.mask_predictor is not None:
            found = [label > 0 for label in labels]
            wanted = [
                mask_targets(target, boxes[own], which[own], 2 * regions.shape[-1])
                for target, boxes, which, own in zip(targets, proposals, matched, found, strict=True)
            ]
            own = torch.cat(found)
            shares = part_shares([label[each] for label, each in zip(labels, found, strict=True)], self._part)
            losses["loss_mask"] = mask_loss(self.mask_predictor(regions[own]), classes[own], torch.cat(wanted), shares)
        return losses

    def _pooled(self, level: Tensor, boxes: list[Tensor]) -> Tensor:
        """The regions of all images [R, C, 14, 14], from features [N, C, h, w] that may be ragged."""
        found, parts = iter(boxes), parts_of(level)
        return torch.cat([self.box_roi_pool(part, list(islice(found, len(part)))) for part in parts])

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


def part_shares(regions: list[Tensor], part: int) -> Tensor:
    """The weight of each region in a mean over parts of `part` images of the mean over the regions of each part.

    A part without regions counts as 0. detectron2 has such a loss on each GPU, whose gradients are averaged.

    Args:
        regions: of each image, [r, …].
        part: a divisor of the number of images.

    Returns:
        float [R] of all regions.
    """
    counts = torch.tensor([len(own) for own in regions]).reshape(-1, part)
    shares = 1 / (len(counts) * counts.sum(dim=1, keepdim=True).clamp(min=1))
    return shares.expand_as(counts).flatten().repeat_interleave(counts.flatten()).to(regions[0].device)


def box_loss(predicted: Tensor, classes: Tensor, wanted: Tensor, shares: Tensor) -> Tensor:
    """L1 between the boxes of regions that hold an object and what its class predicts, times the regions' shares.

    MODEL.ROI_BOX_HEAD.SMOOTH_L1_BETA is 0; torchvision's is smooth with β = 1/9.

    Args:
        predicted: [R, 4 · (classes + 1)].
        classes: int64 [R], 0 for the background.
        wanted: [R, 4].
        shares: [R], `part_shares` of all regions.
    """
    regions = torch.where(classes > 0)[0]
    own = predicted.reshape(len(classes), -1, 4)[regions, classes[regions]]
    return (shares[regions, None] * l1_loss(own, wanted[regions], reduction="none")).sum()


def mask_loss(logits: Tensor, classes: Tensor, wanted: Tensor, shares: Tensor) -> Tensor:
    """Binary cross-entropy of the masks of each region's own class, mean over its cells; 0 without regions.

    Args:
        logits: [R, classes + 1, m, m], of regions that hold an object.
        classes: int64 [R].
        wanted: [R, m, m].
        shares: [R], `part_shares` of these regions.
    """
    own = logits[torch.arange(len(classes), device=classes.device), classes]
    cells = binary_cross_entropy_with_logits(own, wanted, reduction="none")
    return (shares[:, None, None] * cells).sum() / (cells.shape[1] * cells.shape[2])
