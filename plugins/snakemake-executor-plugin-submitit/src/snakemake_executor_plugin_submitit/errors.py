"""Errors of the plugin that the user can correct."""


class SubmissionError(Exception):
    """A job cannot be submitted: one line that names what is wrong and what would be right."""
