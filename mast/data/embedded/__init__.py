"""Benchmarks that are rendered here, with nothing to download."""
