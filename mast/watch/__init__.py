"""The runs of an experiment while they train, read from their files alone."""
