"""Numbers behind the figures: learned masks, their overlap, predicted uncertainty."""
