"""Typed, validated configuration: what belongs together is checked together."""
