"""The projector that maps features to embeddings during pretraining."""

from torch import nn

from mast.config import ProjectorSpec


def build_projector(features: int, spec: ProjectorSpec) -> nn.Sequential:
    """Linear–BN–ReLU blocks and a last linear layer without bias, features [N, D] → embeddings [N, d].

    As `Projector` in facebookresearch/vicreg, main_vicreg.py.
    """
    layers: list[nn.Module] = []
    for _ in range(spec.layers - 1):
        layers += [nn.Linear(features, spec.hidden), nn.BatchNorm1d(spec.hidden), nn.ReLU(inplace=True)]
        features = spec.hidden
    return nn.Sequential(*layers, nn.Linear(features, spec.output, bias=False))
