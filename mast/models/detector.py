"""Faster or Mask R-CNN with a feature pyramid (torchvision) on an encoder."""

from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from mast.models.encoder import STAGES

ASPECT_RATIOS = (0.5, 1.0, 2.0)
"""Height / width of the anchors (Ren et al. 2015, section 3.1.1)."""

BOX_POOL, MASK_POOL = 7, 14
"""Side of the pooled regions that box and mask head see; masks leave it doubled, 28 × 28 (He et al. 2017, figure 4)."""

MASK_LAYERS = 4
"""Convolutions of the mask head (same figure)."""

REFERENCE: dict[str, Any] = {
    **{"rpn_nms_thresh": 0.7, "rpn_fg_iou_thresh": 0.7, "rpn_bg_iou_thresh": 0.3, "rpn_score_thresh": 0.0},
    **{"rpn_batch_size_per_image": 256, "rpn_positive_fraction": 0.5},
    **{"box_score_thresh": 0.05, "box_nms_thresh": 0.5, "box_detections_per_img": 100},
    **{"box_fg_iou_thresh": 0.5, "box_bg_iou_thresh": 0.5, "box_positive_fraction": 0.25},
    "bbox_reg_weights": (10.0, 10.0, 5.0, 5.0),
}
"""What the protocol takes over from its reference, by torchvision's names: MODEL.RPN, MODEL.ROI_HEADS,
MODEL.ROI_BOX_HEAD and TEST.DETECTIONS_PER_IMAGE of detectron2 (config/defaults.py)."""


class DetectorSettings(Protocol):
    """What is read of a detection protocol's settings."""

    backbone: Literal["frozen", "finetuned"]
    batch_norm: Literal["batch", "encoder"]
    masks: bool
    fpn_channels: int
    head_channels: int
    mask_channels: int
    min_size: int
    train_sizes: tuple[int, ...]
    max_size: int
    anchor_sizes: tuple[int, ...]
    proposals: int
    rois: int


class Detector(FasterRCNN):
    """Faster R-CNN, or with `protocol.masks` Mask R-CNN, whose encoder is fine-tuned as a whole or left as it is.

    Fine-tuned: its batch norm uses and updates the statistics of the batch, in one process that is the synchronised
    batch norm of the reference configuration; or, with `protocol.batch_norm: encoder`, it keeps those of the encoder.
    Frozen: no parameter and no running statistic of it changes.
    """

    def __init__(self, encoder: nn.Module, classes: int, mean: Tensor, std: Tensor, protocol: DetectorSettings) -> None:
        """Build the detector around `encoder`, which it holds and does not copy.

        Args:
            encoder: backbone with `layer1` … `layer4`.
            classes: number of categories, without the background.
            mean: [1, 3, 1, 1], of images in [0, 1]: the normalisation of pretraining.
            std: like `mean`.
            protocol: sizes of images, anchors, pyramid and heads.
        """
        frozen = protocol.backbone == "frozen"
        backbone = BackboneWithFPN(
            encoder.requires_grad_(not frozen),
            return_layers={stage: str(level) for level, stage in enumerate(STAGES)},
            in_channels_list=stage_channels(encoder),
            out_channels=protocol.fpn_channels,
        )
        super().__init__(
            backbone,
            min_size=protocol.min_size,
            max_size=protocol.max_size,
            image_mean=mean.flatten().tolist(),
            image_std=std.flatten().tolist(),
            rpn_anchor_generator=AnchorGenerator(
                tuple((size,) for size in protocol.anchor_sizes), (ASPECT_RATIOS,) * len(protocol.anchor_sizes)
            ),
            rpn_pre_nms_top_n_train=2 * protocol.proposals,
            rpn_pre_nms_top_n_test=protocol.proposals,
            rpn_post_nms_top_n_train=2 * protocol.proposals,
            rpn_post_nms_top_n_test=protocol.proposals,
            box_roi_pool=_pool(BOX_POOL),
            box_head=TwoMLPHead(protocol.fpn_channels * BOX_POOL**2, protocol.head_channels),
            box_predictor=FastRCNNPredictor(protocol.head_channels, classes + 1),
            box_batch_size_per_image=protocol.rois,
            **REFERENCE,
        )
        self.test_sizes = (protocol.min_size,)
        self.train_sizes = protocol.train_sizes or self.test_sizes
        if protocol.masks:
            width = protocol.mask_channels
            self.roi_heads.mask_roi_pool = _pool(MASK_POOL)
            self.roi_heads.mask_head = MaskRCNNHeads(protocol.fpn_channels, (width,) * MASK_LAYERS, dilation=1)
            self.roi_heads.mask_predictor = MaskRCNNPredictor(width, width, classes + 1)
        self.keeps_statistics = frozen or protocol.batch_norm == "encoder"

    def train(self, mode: bool = True) -> "Detector":
        """Set the mode, and with it the sizes of images; an encoder whose statistics are kept stays in eval mode."""
        super().train(mode)
        self.transform.min_size = self.train_sizes if mode else self.test_sizes  # torchvision draws one per image
        if self.keeps_statistics:
            self.backbone.body.eval()
        return self


def _pool(side: int) -> MultiScaleRoIAlign:
    return MultiScaleRoIAlign([str(level) for level in range(len(STAGES))], output_size=side, sampling_ratio=2)


@torch.no_grad()
def stage_channels(encoder: nn.Module) -> list[int]:
    """Number of channels that each of the four stages gives out."""
    channels: list[int] = []
    hooks = [
        getattr(encoder, stage).register_forward_hook(lambda _module, _inputs, output: channels.append(output.shape[1]))
        for stage in STAGES
    ]
    encoder.eval()(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    return channels
