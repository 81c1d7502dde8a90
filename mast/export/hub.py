"""Load an exported encoder with torch, torchvision and timm only. Copied to each export as hubconf.py."""

from torch import nn

dependencies = ["torch", "torchvision", "timm", "safetensors"]


def encoder(pretrained: bool = True) -> nn.Module:
    """Return the backbone in eval mode. It maps normalised images, float [N, 3, H, W], to pooled features, float [N,
    D].

    `config.json` next to this file has the normalisation of images in [0, 1] (`mean` and `std` of `pretrained_cfg`) and
    the settings of the backbone (`encoder`).
    """
    import json
    from pathlib import Path

    from safetensors.torch import load_file

    folder = Path(__file__).parent
    model = _build(**json.loads((folder / "config.json").read_text(encoding="utf-8"))["encoder"])
    if pretrained:
        model.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    return model.eval()


def _build(name: str, stem: str, widths: list[int], **_: object) -> nn.Module:
    """Build the same modules as mast.models.encoder, without its initial weights."""
    import timm
    import torchvision

    if name == "resnet-narrow":
        blocks = {"block": timm.models.resnet.BasicBlock, "layers": (1, 1, 1, 1), "channels": widths}
        model = timm.models.resnet.ResNet(num_classes=0, stem_type="deep", stem_width=widths[0] // 2, **blocks)
        kernel = 7 if stem == "imagenet" else 3
        model.conv1 = nn.Conv2d(3, widths[0], kernel, stride=2, padding=kernel // 2, bias=False)
    elif name.startswith("timm/"):
        model = timm.create_model(name.removeprefix("timm/"), num_classes=0)
    else:
        model = torchvision.models.get_model(name, weights=None)
        model.fc = nn.Identity()
    if stem == "small":
        if name != "resnet-narrow":
            model.conv1 = nn.Conv2d(3, model.bn1.num_features, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    return model
