"""Encoders for other programs."""
