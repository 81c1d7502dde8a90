"""Parts of torchvision's Faster or Mask R-CNN with a feature pyramid (Lin et al. 2017)."""

from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from mast.models.detector_parts import (
    ASPECT_RATIOS,
    REFERENCE,
    DetectorSettings,
    Normalisation,
    Parts,
    stage_channels,
)
from mast.models.encoder import STAGES

BOX_POOL, MASK_POOL = 7, 14
"""Side of the pooled regions of box and mask head; the mask head doubles it, 28 × 28 (He et al. 2017, figure 4)."""

MASK_LAYERS = 4
"""Number of convolutions of the mask head (same figure)."""


def fpn_parts(encoder: nn.Module, classes: int, normalisation: Normalisation, protocol: DetectorSettings) -> Parts:
    """Return the parts: a pyramid on the four stages of the encoder, one anchor size for each level, heads on all
    levels.

    Args:
        encoder: backbone with `layer1` … `layer4`, referenced and not copied.
        classes: number of categories, without the background.
        normalisation: normalisation of images.
        protocol: sizes of images, anchors, pyramid and heads.
    """
    backbone = BackboneWithFPN(
        encoder,
        return_layers={stage: str(level) for level, stage in enumerate(STAGES)},
        in_channels_list=stage_channels(encoder),
        out_channels=protocol.fpn_channels,
    )
    detector = FasterRCNN(
        backbone,
        min_size=protocol.min_size,
        max_size=protocol.max_size,
        image_mean=normalisation.mean,
        image_std=normalisation.std,
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
    heads = detector.roi_heads
    if protocol.masks:
        width = protocol.mask_channels
        heads.mask_roi_pool = _pool(MASK_POOL)
        heads.mask_head = MaskRCNNHeads(protocol.fpn_channels, (width,) * MASK_LAYERS, dilation=1)
        heads.mask_predictor = MaskRCNNPredictor(width, width, classes + 1)
    return Parts(detector.backbone, detector.rpn, heads, detector.transform, of_encoder=(backbone.body,))


def _pool(side: int) -> MultiScaleRoIAlign:
    return MultiScaleRoIAlign([str(level) for level in range(len(STAGES))], output_size=side, sampling_ratio=2)
