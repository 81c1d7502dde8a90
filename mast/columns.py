"""Columns of the analysis's tables, shared by writer, reader and figures (docs/use/formats.md, *Analysis*)."""

_PARTS = ("common", "partly", "unique", "closed_alone")

ANALYSIS_COLUMNS: dict[str, tuple[str, ...]] = {
    "masks": ("augmentation", "dimension", "weight"),
    "overlap": ("first", "second", "cosine", "soft_iou", "cosine_chance", "soft_iou_chance"),
    "subspaces": ("augmentation", "size", *_PARTS, *(f"{part}_chance" for part in _PARTS)),
    "uncertainty": ("augmentation", "strength", "uncertainty", "spread", "count"),
    "difficulty": ("against", "name", "correlation", "low", "high", "count"),
    "invariance": ("augmentation", "space", "moved", "between", "relative", "shuffled", "count"),
    "retrieval": ("representation", "images", "top1"),
}
"""Table of the analysis → columns of its CSV file."""
