"""The runs of an experiment while they train, read from the lines that they log."""
