"""The losses, as pure functions."""
