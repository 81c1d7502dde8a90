"""Metrics files to tables and figures; imports no torch."""
