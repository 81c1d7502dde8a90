"""`resnet-narrow`: a ResNet with one basic block a stage, for small images and machines.

Its weights have the names of torchvision's and timm's ResNets.
"""

from torch import Tensor, nn
from torch.nn import functional

from mast.models.settings import EncoderSpec


class NarrowResNet(nn.Module):
    """Map images [N, 3, H, W] to pooled features [N, D]; D is the last of `widths`.

    The small stem is 3×3 with stride 2, so that images of 32 px can be trained on a laptop.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        """Draw the weights from N(0, 2 / fan-out) (He et al. 2015), as torchvision and timm do."""
        super().__init__()
        half = spec.widths[0] // 2
        # The first version built a stem of three convolutions and then replaced it. Its random numbers are drawn here
        # too, so that a seed still gives the same weights.
        self.conv1: nn.Module = nn.Sequential(_conv3(3, half), _conv3(half, half), _conv3(half, 2 * half))
        self.bn1 = nn.BatchNorm2d(2 * half)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if spec.stem == "small" else nn.MaxPool2d(3, stride=2, padding=1)
        channels = 2 * half
        for number, width in enumerate(spec.widths, 1):
            self.add_module(f"layer{number}", nn.Sequential(BasicBlock(channels, width, 1 if number == 1 else 2)))
            channels = width
        self.num_features = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _draw(module)
            elif isinstance(module, BasicBlock) and spec.zero_init_residual:
                nn.init.zeros_(module.bn2.weight)
        kernel = 7 if spec.stem == "imagenet" else 3
        self.conv1 = nn.Conv2d(3, 2 * half, kernel, stride=2, padding=kernel // 2, bias=False)
        _draw(self.conv1)

    def forward(self, images: Tensor) -> Tensor:
        """Compute features, float [N, D]."""
        features = self.maxpool(self.act1(self.bn1(self.conv1(images))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        return functional.adaptive_avg_pool2d(features, 1).flatten(1)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut (He et al. 2016, figure 2)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        """Build the block. The shortcut is a 1×1 convolution if the shape changes."""
        super().__init__()
        changes = stride != 1 or channels != width
        downsample = nn.Conv2d(channels, width, 1, stride, bias=False) if changes else None
        self.conv1 = _conv3(channels, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.act1 = nn.ReLU(inplace=True)
        self.conv2 = _conv3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.act2 = nn.ReLU(inplace=True)
        self.downsample = nn.Sequential(downsample, nn.BatchNorm2d(width)) if changes else None

    def forward(self, images: Tensor) -> Tensor:
        """Map [N, channels, H, W] to [N, width, H / stride, W / stride]."""
        residual = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(images)))))
        residual += images if self.downsample is None else self.downsample(images)
        return self.act2(residual)


def _conv3(channels: int, width: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)


def _draw(convolution: nn.Conv2d) -> None:
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
