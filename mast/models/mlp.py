"""Multi-layer perceptrons that are trained with the encoder."""

from torch import nn


def build_mlp(inputs: int, hidden: int, outputs: int, layers: int, normalised: bool = False) -> nn.Sequential:
    """Build Linear–BN–ReLU blocks and a last linear layer, [N, inputs] → [N, outputs].

    As in `load_mlp` of hankook/AugSelf, models.py, which gmum/CASSLE uses too, there is no bias before a batch
    normalisation.

    Args:
        inputs: width of the input.
        hidden: width of the hidden layers.
        outputs: width of the output.
        layers: number of linear layers, at least 1.
        normalised: whether to end with a batch normalisation instead of the last layer's bias.
    """
    parts: list[nn.Module] = []
    for _ in range(layers - 1):
        parts += [nn.Linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)]
        inputs = hidden
    parts.append(nn.Linear(inputs, outputs, bias=not normalised))
    return nn.Sequential(*parts, *([nn.BatchNorm1d(outputs)] if normalised else []))
