"""Detection on a pretrained encoder."""
