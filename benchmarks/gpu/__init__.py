"""The GPU path on one card: whether it computes what the CPU does, and how fast beside its peers (`make gpu-check`).

One file per part; `parts.py` lists them in the order in which they run. On a CPU the same parts run in a tiny version.
"""
