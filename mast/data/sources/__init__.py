"""Public datasets: their sources, layouts on disk, and splits."""
