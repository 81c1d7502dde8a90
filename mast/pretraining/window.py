"""Values of a curve's next line, collected without a device synchronisation per step."""

import time
from typing import Any

import torch
from torch import Tensor

from mast.methods import Outcome
from mast.pretraining.indicators import effective_rank, embedding_std
from mast.pretraining.metrics_log import Record


class Window:
    """Means of the terms since the last logged line."""

    def __init__(self, whole: int = 0, embedding: Tensor | None = None) -> None:
        """Start empty.

        Args:
            whole: number of images of a whole batch, if the last one of an epoch may be smaller; 0 if all have one
                size. The indicators are those of the last whole batch, because with fewer images they would be
                different numbers.
            embedding: embedding of the last whole batch before.
        """
        self._terms: list[Tensor] = []
        self._names: list[str] = []
        self._whole, self._embedding = whole, embedding
        self._images, self._rate = 0, 0.0
        self._since = time.monotonic()

    def add(self, outcome: Outcome, images: int, rate: float) -> None:
        """Add one step: its outcome, its number of images, its learning rate."""
        self._names = ["loss", *outcome.terms]
        self._terms.append(torch.stack([outcome.loss, *outcome.terms.values()]).detach())
        if images >= self._whole:
            self._embedding = outcome.embedding
        self._images += images
        self._rate = rate

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps; the embedding only if a short batch may need it in the next step."""
        kept = {"terms": self._terms, "names": self._names}
        return kept | ({"embedding": self._embedding} if self._whole else {})

    def resume(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned. The speed is that of the images since, as the time before is not known."""
        self._terms, self._names = state["terms"], state["names"]
        self._since = time.monotonic()
        self._embedding = state.get("embedding")

    def first_bad(self, step: int) -> str | None:
        """Return the first term that is not finite, and its step, when `step` steps are done."""
        values = torch.stack(self._terms) if self._terms else torch.zeros(0, 0)
        wrong = (~torch.isfinite(values)).cpu().nonzero()
        if not len(wrong):
            return None
        row = int(wrong[0, 0])
        terms = [self._names[column] for column in wrong[wrong[:, 0] == row, 1]]
        name = next((term for term in terms if term != "loss"), "loss")
        return f"{name} is not finite at step {step - len(values) + 1 + row}"

    def close(self) -> Record:
        """Return the window's line, and start the next window."""
        values = torch.stack(self._terms).cpu()
        means = dict(zip(self._names, values.mean(dim=0).tolist(), strict=True))
        indicators = {
            "embedding_std": float(embedding_std(self._embedding)),
            "effective_rank": float(effective_rank(self._embedding)),
        }
        speed = {"images_per_second": round(self._images / max(time.monotonic() - self._since, 1e-9), 1)}
        line = {"lr": self._rate, **means, **indicators, **speed}
        self.__init__(self._whole, self._embedding if self._whole else None)
        return line
