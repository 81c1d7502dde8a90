"""Metrics files → tables."""
