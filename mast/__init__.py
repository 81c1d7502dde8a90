"""MAST: Masked Augmentation Subspace Training (ICLR 2023, arXiv 2303.03679), and its reproduction pipeline."""

__version__ = "0.1.0"
