"""The training runs of an experiment, followed live in their logs."""
