"""Measurements of the program in comparison with `lightly`; `make bench` runs them (docs/understand/performance.md)."""
