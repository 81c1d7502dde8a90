"""Encoder, projector, masks and uncertainty head."""
