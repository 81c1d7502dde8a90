"""Shards: files that hold many images and their labels each (Parquet, Arrow, tar)."""
