"""The public interface: parts of MAST for training loops of your own (docs/use/api.md)."""
