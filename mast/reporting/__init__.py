"""Tables and figures from metrics files; imports no torch."""
