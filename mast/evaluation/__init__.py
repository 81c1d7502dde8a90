"""Features of a frozen encoder, and the probes that read them."""
