"""The narrow ResNet equals timm's ResNet: the same weights from a seed, the same features, without importing timm."""

import subprocess
import sys

import pytest
import timm
import torch
from timm.models.resnet import BasicBlock
from torch import nn

from mast.config.pretrain import PretrainSpec
from mast.errors import MastError
from mast.models.encoder import build_encoder
from mast.models.settings import EncoderSpec
from mast.settings import parse_spec


def timm_narrow(spec: EncoderSpec) -> nn.Module:
    """The first version's encoder, put together from timm's parts."""
    encoder = timm.models.resnet.ResNet(
        BasicBlock,
        (1, 1, 1, 1),
        num_classes=0,
        channels=spec.widths,
        stem_type="deep",
        stem_width=spec.widths[0] // 2,
        zero_init_last=spec.zero_init_residual,
    )
    kernel = 7 if spec.stem == "imagenet" else 3
    encoder.conv1 = nn.Conv2d(3, encoder.bn1.num_features, kernel, stride=2, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(encoder.conv1.weight, mode="fan_out", nonlinearity="relu")
    if spec.stem == "small":
        encoder.maxpool = nn.Identity()
    return encoder


@pytest.mark.parametrize("stem", ["small", "imagenet"])
@pytest.mark.parametrize("widths", [(24, 48, 96, 192), (9, 7, 8, 10)])
@pytest.mark.parametrize("zero", [True, False])
def test_a_seed_gives_timms_weights_and_features(stem: str, widths: tuple[int, int, int, int], zero: bool) -> None:
    spec = EncoderSpec(name="resnet-narrow", stem=stem, widths=widths, zero_init_residual=zero)
    torch.manual_seed(3)
    own, after = build_encoder(spec), torch.rand(3)
    torch.manual_seed(3)
    reference, after_reference = timm_narrow(spec), torch.rand(3)
    assert list(own.state_dict()) == list(reference.state_dict())
    for name, weights in reference.state_dict().items():
        assert torch.equal(own.state_dict()[name], weights), name
    assert torch.equal(after, after_reference)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(own.eval()(images), reference.eval()(images))
        assert torch.equal(own.train()(images), reference.train()(images))
    assert own.num_features == reference.num_features


def test_it_is_built_without_timm_and_torchvision() -> None:
    code = (
        "import sys; from mast.models.encoder import build_encoder; from mast.models.settings import EncoderSpec; "
        "build_encoder(EncoderSpec(name='resnet-narrow')); sys.exit(bool({'timm', 'torchvision'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_stem_that_torch_cannot_train_safely_is_refused() -> None:
    with pytest.raises(MastError, match=r"--spec: encoder\.widths: the first stage has 4 channels; give it 8 or more"):
        parse_spec(PretrainSpec, '{"dataset": "any", "encoder": {"name": "resnet-narrow", "widths": [4, 8, 8, 8]}}')
