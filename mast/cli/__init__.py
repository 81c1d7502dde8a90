"""`mast <command>`: one command per stage; the same functions that the workflow's rules call."""

from mast.cli.program import main

__all__ = ["main"]
