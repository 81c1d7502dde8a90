"""Multi-layer perceptrons beside the encoder."""

from torch import nn


def build_mlp(inputs: int, hidden: int, outputs: int, layers: int, normalised: bool = False) -> nn.Sequential:
    """Linear–BN–ReLU blocks and a last linear layer, [N, inputs] → [N, outputs].

    As `load_mlp` in hankook/AugSelf, models.py, which gmum/CASSLE took over: no bias before a batch normalisation.

    Args:
        inputs: width of what it reads.
        hidden: width between the layers.
        outputs: width of what it gives.
        layers: number of linear layers, at least 1.
        normalised: end with a batch normalisation, in the place of the last layer's bias.
    """
    parts: list[nn.Module] = []
    for _ in range(layers - 1):
        parts += [nn.Linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)]
        inputs = hidden
    parts.append(nn.Linear(inputs, outputs, bias=not normalised))
    return nn.Sequential(*parts, *([nn.BatchNorm1d(outputs)] if normalised else []))
