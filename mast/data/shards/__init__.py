"""Shards: files that each hold many images and their labels (Parquet, Arrow, tar)."""
