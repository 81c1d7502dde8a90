"""Faster or Mask R-CNN on an encoder, with a feature pyramid or with heads on the encoder's fourth stage."""

from torch import Tensor, nn
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

from mast.models.detector_c4 import c4_parts
from mast.models.detector_fpn import fpn_parts
from mast.models.detector_parts import DetectorSettings, Normalisation

PARTS = {"fpn": fpn_parts, "c4": c4_parts}
"""Value of `protocol.architecture` → function that builds its parts."""


class Detector(GeneralizedRCNN):
    """Faster R-CNN, or with `protocol.masks` Mask R-CNN. The encoder is fine-tuned as a whole, or frozen.

    Fine-tuned: the encoder's batch norm uses and updates the statistics of the batch. In one process this equals the
    synchronised batch norm of the reference configuration. With `protocol.batch_norm: encoder` it keeps the encoder's
    statistics. Frozen: no parameter and no running statistic of the encoder changes.
    """

    def __init__(self, encoder: nn.Module, classes: int, mean: Tensor, std: Tensor, protocol: DetectorSettings) -> None:
        """Build the detector around `encoder`, which it holds and does not copy.

        Args:
            encoder: backbone with `layer1` … `layer4`.
            classes: number of categories, without the background.
            mean: mean of images in [0, 1] in pretraining, [1, 3, 1, 1].
            std: standard deviation of images in [0, 1] in pretraining, [1, 3, 1, 1].
            protocol: settings of the detector: sizes of images, anchors, pyramid and heads.
        """
        frozen = protocol.backbone == "frozen"
        normalisation = Normalisation.of(mean, std)
        parts = PARTS[protocol.architecture](encoder.requires_grad_(not frozen), classes, normalisation, protocol)
        super().__init__(parts.backbone, parts.rpn, parts.roi_heads, parts.transform)
        self.test_sizes = (protocol.min_size,)
        self.train_sizes = protocol.train_sizes or self.test_sizes
        keeps_statistics = frozen or protocol.batch_norm == "encoder"
        self._keep = parts.of_encoder if keeps_statistics else ()

    def train(self, mode: bool = True) -> "Detector":
        """Set the mode, and with it the sizes of images. An encoder whose statistics are kept stays in eval mode."""
        super().train(mode)
        self.transform.min_size = self.train_sizes if mode else self.test_sizes  # one size is drawn for each image
        for part in self._keep:
            part.eval()
        return self
