"""`mast <command>`: one command per stage. The workflow's rules call the same functions."""

from mast.cli.program import main

__all__ = ["main"]
