"""Datasets, the prepared format, and batches."""
