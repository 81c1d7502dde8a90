"""Helpers shared by several folders of tests."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
