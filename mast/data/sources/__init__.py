"""Public datasets: where they come from, how they are laid out on disk, how they are split."""
