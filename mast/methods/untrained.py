"""An encoder as it is initialised: the value of a representation before anything is learned."""

from typing import ClassVar

from mast.methods import Method


class Untrained(Method):
    """No training."""

    READS: ClassVar[frozenset[str]] = frozenset()
