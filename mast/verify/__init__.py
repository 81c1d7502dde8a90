"""Check that the files below a results directory are complete, and match the files they were made from."""

from mast.verify.verification import Verification

__all__ = ["Verification"]
