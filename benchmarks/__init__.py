"""Side-by-side measurements of the program and of `lightly`; `make bench` runs them (docs/performance.md)."""
