"""Checks for everything that can be known to fail before anything starts."""
