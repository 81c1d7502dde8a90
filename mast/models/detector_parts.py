"""Code shared by the detectors: their settings, the reference's constants, and the stages of an encoder."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from mast.models.encoder import STAGES

ASPECT_RATIOS = (0.5, 1.0, 2.0)
"""Height / width of the anchors (Ren et al. 2015, section 3.1.1; MODEL.ANCHOR_GENERATOR.ASPECT_RATIOS)."""

REFERENCE: dict[str, Any] = {
    **{"rpn_nms_thresh": 0.7, "rpn_fg_iou_thresh": 0.7, "rpn_bg_iou_thresh": 0.3, "rpn_score_thresh": 0.0},
    **{"rpn_batch_size_per_image": 256, "rpn_positive_fraction": 0.5},
    **{"box_score_thresh": 0.05, "box_nms_thresh": 0.5, "box_detections_per_img": 100},
    **{"box_fg_iou_thresh": 0.5, "box_bg_iou_thresh": 0.5, "box_positive_fraction": 0.25},
    "bbox_reg_weights": (10.0, 10.0, 5.0, 5.0),
}
"""Constants taken from the reference, by torchvision's names: MODEL.RPN, MODEL.ROI_HEADS, MODEL.ROI_BOX_HEAD and
TEST.DETECTIONS_PER_IMAGE of detectron2 (config/defaults.py).
"""

MEASURED_SIDE = 64
"""Side of the image on which an encoder's stages are measured, pixels."""


class DetectorSettings(Protocol):
    """Settings of a detection protocol that the detectors read."""

    architecture: Literal["fpn", "c4"]
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
    rpn_weight: float
    rois: int


@dataclass(frozen=True)
class Parts:
    """Parts of a detector, as torchvision's GeneralizedRCNN combines them."""

    backbone: nn.Module
    rpn: RegionProposalNetwork
    roi_heads: RoIHeads
    transform: GeneralizedRCNNTransform
    of_encoder: tuple[nn.Module, ...]
    """Modules that contain the encoder."""


@dataclass(frozen=True)
class Normalisation:
    """Normalisation of images in [0, 1], as in pretraining."""

    mean: list[float]
    std: list[float]

    @classmethod
    def of(cls, mean: Tensor, std: Tensor) -> "Normalisation":
        """Build the normalisation from tensors [1, 3, 1, 1]."""
        return cls(mean.flatten().tolist(), std.flatten().tolist())


def stage_channels(encoder: nn.Module) -> list[int]:
    """Return the number of output channels of each of the four stages."""
    return [shape[1] for shape in _stage_shapes(encoder)]


def stage_strides(encoder: nn.Module) -> list[int]:
    """Return the stride of each of the four stages in pixels of the image: 4, 8, 16 and 32 with the ImageNet stem."""
    return [MEASURED_SIDE // shape[2] for shape in _stage_shapes(encoder)]


@torch.no_grad()
def _stage_shapes(encoder: nn.Module) -> list[torch.Size]:
    shapes: list[torch.Size] = []
    hooks = [
        getattr(encoder, stage).register_forward_hook(lambda _module, _inputs, output: shapes.append(output.shape))
        for stage in STAGES
    ]
    encoder.eval()(torch.zeros(1, 3, MEASURED_SIDE, MEASURED_SIDE))
    for hook in hooks:
        hook.remove()
    return shapes
