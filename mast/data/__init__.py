"""Data sets, the prepared format, and batches."""
