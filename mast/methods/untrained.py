"""An encoder as it is initialised: what a representation is worth before anything is learned."""

from typing import ClassVar

from mast.methods import Method


class Untrained(Method):
    """No training."""

    READS: ClassVar[frozenset[str]] = frozenset()
