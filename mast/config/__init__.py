"""Typed, validated configuration. Settings that depend on one another are checked together."""
