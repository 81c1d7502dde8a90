"""Mixed precision: the type in which networks compute, by its name in the settings."""

import torch

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: str | None, device: torch.device) -> torch.autocast:
    """Return the context in which networks compute in `bf16` or `fp16`; in float32 for any other name, or None."""
    reduced = AUTOCAST.get(precision)
    return torch.autocast(device.type, dtype=reduced, enabled=reduced is not None)


def scaler(precision: str | None, device: torch.device) -> torch.amp.GradScaler:
    """Return a gradient scaler, which prevents underflow in `fp16`; for any other name it does nothing."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")
