"""The projector that maps features to embeddings during pretraining."""

from pathlib import Path

from torch import nn

from mast.models.encoder_file import read_weights
from mast.models.settings import ProjectorSpec

PREFIX, MASKS = "projector.", "feature_masks.masks"


def build_projector(features: int, spec: ProjectorSpec) -> nn.Sequential:
    """Build Linear–BN–ReLU blocks and a last linear layer without bias, features [N, D] → embeddings [N, d].

    The layers are those of `Projector` in facebookresearch/vicreg, main_vicreg.py.
    """
    layers: list[nn.Module] = []
    for _ in range(spec.layers - 1):
        layers += [nn.Linear(features, spec.hidden), nn.BatchNorm1d(spec.hidden), nn.ReLU(inplace=True)]
        features = spec.hidden
    return nn.Sequential(*layers, nn.Linear(features, spec.output, bias=False))


def load_projector(heads_file: Path, features: int, spec: ProjectorSpec | None) -> nn.Sequential | None:
    """Read the projector of a run from its `heads.safetensors`, in eval mode; None if the run has none.

    If the run masks features before they are projected (MAST-aware), the first layer's columns are masked instead,
    which gives the same embeddings.

    Raises:
        MastError: the file is missing or damaged.
    """
    weights, _ = read_weights(heads_file)
    own = {name.removeprefix(PREFIX): tensor for name, tensor in weights.items() if name.startswith(PREFIX)}
    if not own or spec is None:
        return None
    projector = build_projector(features, spec)
    projector.load_state_dict(own, strict=True)
    if MASKS in weights:
        projector[0].weight.data *= weights[MASKS].prod(dim=0)
    return projector.eval()
