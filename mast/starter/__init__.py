"""`mast init`: a commented configuration for images of the user's own."""
