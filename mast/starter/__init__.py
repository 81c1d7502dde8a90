"""`mast init`: a commented configuration for images of your own."""
