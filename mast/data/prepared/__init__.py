"""Prepared data: written once, read by every job."""
