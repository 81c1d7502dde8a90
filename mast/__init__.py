"""MAST: Masked Augmentation Subspace Training (ICLR 2023, arXiv 2303.03679), and its reproduction pipeline.

The names below are the public interface for loops of your own (docs/use/api.md). Each is imported at its first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mast.api.embed import embed
    from mast.api.encoder import PretrainedEncoder, load_encoder
    from mast.api.loss import MastLoss
    from mast.api.views import PairedAugmentation, Views

__version__ = "0.1.0"

__all__ = ["MastLoss", "PairedAugmentation", "PretrainedEncoder", "Views", "embed", "load_encoder"]

_MODULES = {
    "MastLoss": "loss",
    "PairedAugmentation": "views",
    "PretrainedEncoder": "encoder",
    "Views": "views",
    "embed": "embed",
    "load_encoder": "encoder",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'mast' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mast.api.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
