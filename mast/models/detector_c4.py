"""Parts of R50-C4: proposals from an encoder's third stage, heads on its fourth.

The parts are those of detectron2's `Res5ROIHeads` (modeling/roi_heads/roi_heads.py), with the normalisation that
facebookresearch/moco adds after the fourth stage (`Res5ROIHeadsExtraNorm`, detection/train_net.py). Constants are given
with their keys in detectron2's config/defaults.py, unless configs/Base-RCNN-C4.yaml or moco's detection/configs/ change
them.
"""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import RoIAlign

from mast.errors import MastError
from mast.models.detector_c4_heads import ProposalNetwork, Res5Heads
from mast.models.detector_images import ReferenceTransform
from mast.models.detector_parts import (
    ASPECT_RATIOS,
    REFERENCE,
    DetectorSettings,
    Normalisation,
    Parts,
    stage_channels,
    stage_strides,
)
from mast.models.ragged import Ragged, normalised_together

SOURCE_STAGE, HEAD_STAGE = "layer3", "layer4"
"""Stages of the proposals and of the head: MODEL.RPN.IN_FEATURES and MODEL.ROI_HEADS.IN_FEATURES, `res4`, and the stage
that `Res5ROIHeads` uses as head.
"""

POOL = 14
"""Side of a pooled region (MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION). The fourth stage halves it; masks have it again."""

SAMPLES = 0
"""Number of samples of a pooled value per direction (POOLER_SAMPLING_RATIO); 0 takes one for each pixel of the feature
map.
"""

BEFORE_NMS = 6
"""Ratio of regions before to regions after non-maximum suppression: PRE_NMS_TOPK_TRAIN 12,000 and POST_NMS_TOPK_TRAIN
2,000, in tests 6,000 and 1,000.
"""

CLASS_STD, BOX_STD, MASK_STD = 0.01, 0.001, 0.001
"""Standard deviations of the normal distributions that initialise the last layers' weights; their biases are 0
(modeling/roi_heads/fast_rcnn.py, mask_head.py).
"""


class SharedBackbone(IntermediateLayerGetter):
    """The first stages of an encoder, for images of one size or of several."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images [N, 3, H, W] → features by the names of their levels; both may be ragged."""
        with normalised_together(self):
            return super().forward(images)


class ExactAnchors(AnchorGenerator):
    """All anchors of one feature map, `stride` pixels apart.

    Source: detectron2, modeling/anchor_generator.py. torchvision's generator rounds their sides, and derives the stride
        from sizes.
    """

    def __init__(self, sizes: tuple[int, ...], stride: int) -> None:
        """Build the anchors; `sizes` are the square roots of their areas, pixels."""
        super().__init__((sizes,), (ASPECT_RATIOS,))
        self.stride = stride

    def set_cell_anchors(self, dtype: torch.dtype, device: torch.device) -> None:
        """Keep anchors in float32: half precision would move them by pixels."""
        super().set_cell_anchors(torch.float32, device)

    def generate_anchors(
        self,
        scales: list[int],
        aspect_ratios: list[float],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Return anchors [ratios · scales, 4]: x1, y1, x2, y2 around the origin, with area scale² and height / width of
        the ratio.
        """
        roots = torch.tensor(aspect_ratios, dtype=dtype, device=device).sqrt()
        sides = torch.tensor(scales, dtype=dtype, device=device)
        widths, heights = torch.outer(1 / roots, sides).flatten(), torch.outer(roots, sides).flatten()
        return torch.stack([-widths, -heights, widths, heights], dim=1) / 2

    def grid_anchors(self, grid_sizes: list[list[int]], strides: list[list[Tensor]]) -> list[Tensor]:
        """Return the anchors at each grid position, the first at the origin (MODEL.ANCHOR_GENERATOR.OFFSET 0)."""
        fixed = [[torch.full_like(side, self.stride) for side in pair] for pair in strides]
        return super().grid_anchors(grid_sizes, fixed)


def c4_parts(encoder: nn.Module, classes: int, normalisation: Normalisation, protocol: DetectorSettings) -> Parts:
    """Return the parts: the encoder's first three stages, and its fourth with a batch norm after it as head of boxes
    and masks.

    Args:
        encoder: backbone with `layer1` … `layer4`, referenced and not copied.
        classes: number of categories, without the background.
        normalisation: normalisation of images.
        protocol: sizes of images, anchors and the mask head.
    """
    (*_, channels, width), (*_, stride, _) = stage_channels(encoder), stage_strides(encoder)
    stage = getattr(encoder, HEAD_STAGE)
    backbone = SharedBackbone(encoder, {SOURCE_STAGE: "0"})
    anchors = ExactAnchors(protocol.anchor_sizes, stride)
    after = {"training": 2 * protocol.proposals, "testing": protocol.proposals}
    rpn = ProposalNetwork(
        anchors,
        RPNHead(channels, anchors.num_anchors_per_location()[0]),
        weight=protocol.rpn_weight,
        pre_nms_top_n={mode: BEFORE_NMS * count for mode, count in after.items()},
        post_nms_top_n=after,
        **_reference("rpn_"),
    )
    heads = Res5Heads(
        box_roi_pool=RoIAlign(POOL, 1 / stride, SAMPLES, aligned=True),
        box_head=nn.Sequential(OrderedDict(stage=stage, norm=nn.BatchNorm2d(width))),
        box_predictor=_box_predictor(width, classes),
        batch_size_per_image=protocol.rois,
        bbox_reg_weights=REFERENCE["bbox_reg_weights"],
        part=protocol.gpu_images,
        **_reference("box_"),
    )
    if protocol.masks:
        heads.mask_predictor = _mask_predictor(width, protocol.mask_channels, classes)
    statistics = normalisation.mean, normalisation.std
    transform = ReferenceTransform(protocol.min_size, protocol.max_size, *statistics, protocol.gpu_images)
    return Parts(backbone, rpn, heads, transform, of_encoder=(backbone, stage))


def takes_several_sizes(encoder: nn.Module) -> bool:
    """Return whether an encoder on torch's meta device, which holds no values, takes images of several sizes at once.

    Those with attention over channels often do not: they ask for the size of the features.
    """
    images = [torch.empty(1, 3, height, width, device="meta") for height, width in ((64, 96), (96, 64))]
    try:
        SharedBackbone(encoder, {HEAD_STAGE: "0"})(Ragged.of(images))
    except MastError:
        return False
    return True


def _reference(prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in REFERENCE.items() if key.startswith(prefix)}


def _box_predictor(width: int, classes: int) -> FastRCNNPredictor:
    predictor = FastRCNNPredictor(width, classes + 1)
    for layer, std in ((predictor.cls_score, CLASS_STD), (predictor.bbox_pred, BOX_STD)):
        nn.init.normal_(layer.weight, std=std)
        nn.init.zeros_(layer.bias)
    return predictor


def _mask_predictor(width: int, hidden: int, classes: int) -> MaskRCNNPredictor:
    """Build a transposed convolution that doubles the side, then a 1×1 convolution (MODEL.ROI_MASK_HEAD.NUM_CONV 0)."""
    predictor = MaskRCNNPredictor(width, hidden, classes + 1)
    nn.init.normal_(predictor.mask_fcn_logits.weight, std=MASK_STD)
    for layer in (predictor.conv5_mask, predictor.mask_fcn_logits):
        nn.init.zeros_(layer.bias)
    return predictor
