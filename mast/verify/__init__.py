"""Whether the files below a results directory are whole, and belong to what they say they were made from."""

from mast.verify.verification import Verification

__all__ = ["Verification"]
