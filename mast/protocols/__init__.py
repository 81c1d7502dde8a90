"""One file per way to evaluate an encoder."""
