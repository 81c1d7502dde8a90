"""Numbers behind the figures: masks and uncertainty."""
