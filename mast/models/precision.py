"""The type in which networks compute, by the name that settings have for it."""

import torch

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: str | None, device: torch.device) -> torch.autocast:
    """The context in which networks compute in `bf16` or `fp16`; in float32 for any other name, or None."""
    reduced = AUTOCAST.get(precision)
    return torch.autocast(device.type, dtype=reduced, enabled=reduced is not None)


def scaler(precision: str | None, device: torch.device) -> torch.amp.GradScaler:
    """What keeps gradients in `fp16` from vanishing; for any other name it does nothing."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")
