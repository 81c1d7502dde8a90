"""The benchmarks that are rendered here, with nothing to download."""
