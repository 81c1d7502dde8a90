"""Numbers behind the figures: learned masks, their overlap, predicted uncertainty."""

from mast.analysis.run import analyze

__all__ = ["analyze"]
