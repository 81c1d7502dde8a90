"""Weight files of a run's encoder and heads, with what is needed to build and use them."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from mast.errors import MastError
from mast.files import WEIGHTS_METADATA, atomic_path, require_recorded
from mast.models.encoder import build_encoder
from mast.models.settings import EncoderSpec
from mast.settings import parse_spec


def save_encoder(path: Path, encoder: nn.Module, metadata: Mapping[str, str]) -> None:
    """Write the backbone's weights and metadata (docs/use/formats.md, *Weight files*) atomically."""
    save_weights(path, encoder.state_dict(), {"format": "mast-encoder-1", **metadata})


def save_weights(path: Path, weights: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors to a safetensors file atomically; the same content gives the same bytes.

    The metadata become one JSON string, because safetensors writes several strings in no fixed order.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    content = save(tensors, {WEIGHTS_METADATA: json.dumps(dict(metadata), sort_keys=True)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_weights(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read tensors and metadata from a safetensors file; no code is executed.

    If the run's record, run.json, is next to the file, its hash is compared.

    Raises:
        MastError: the file is missing or damaged.
    """
    path = Path(path)
    require_recorded(path, path.with_name("run.json"))
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, json.loads((file.metadata() or {}).get(WEIGHTS_METADATA, "{}"))
    except FileNotFoundError:
        raise MastError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise MastError(f"{path}: not a readable safetensors file ({error}); delete it and pretrain again") from None


def load_encoder(path: Path) -> tuple[nn.Module, dict[str, str]]:
    """Read an encoder file: the backbone in eval mode with its weights (strict), and the file's metadata.

    Raises:
        MastError: the file is missing, damaged, not an encoder, or its weights do not fit the encoder it names.
    """
    weights, metadata = read_weights(path)
    if metadata.get("format") != "mast-encoder-1":
        raise MastError(f"{path}: not an encoder file (metadata 'format' is {metadata.get('format')!r})")
    encoder = build_encoder(parse_spec(EncoderSpec, metadata["encoder"]))
    try:
        encoder.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise MastError(
            f"{path}: weights do not fit encoder {metadata['encoder']}: {str(error).splitlines()[-1].strip()}"
        ) from None
    return encoder.eval(), metadata


def load_finite_encoder(path: Path) -> tuple[nn.Module, dict[str, str]]:
    """Read an encoder file like `load_encoder`; raise MastError if a weight is not finite."""
    encoder, metadata = load_encoder(path)
    if (name := first_not_finite(encoder)) is not None:
        raise MastError(f"{path}: {name} is not finite; pretrain again with a lower learning rate")
    return encoder, metadata


def first_not_finite(model: nn.Module) -> str | None:
    """Return the name of the first tensor of a model's state with a NaN or an infinity; None if all are finite."""
    return next((name for name, tensor in model.state_dict().items() if not torch.isfinite(tensor).all()), None)


def normalisation(metadata: Mapping[str, str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and standard deviation of pretraining from an encoder file's metadata, float32 [1, 3, 1, 1] each."""
    return _channels(json.loads(metadata["mean"])), _channels(json.loads(metadata["std"]))


def _channels(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
