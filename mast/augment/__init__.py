"""Batched augmentations with explicit parameters, policies, and the pairing of views."""
