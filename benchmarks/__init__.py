"""Measurements of the program beside `lightly`; `make bench` runs them (docs/understand/performance.md)."""
