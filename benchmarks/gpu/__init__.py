"""Check that a GPU computes what the CPU does, and compare its speed with other libraries (`make gpu-check`).

One file per part; `parts.py` lists them in the order in which they run. On a CPU the same parts run in a tiny version.
"""
