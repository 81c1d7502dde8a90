"""`mast init`: a commented configuration for a folder of images."""
