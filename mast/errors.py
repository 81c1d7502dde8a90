"""The one exception that a user is meant to read."""


class MastError(Exception):
    """Something the user can put right: one line that names the key or file, what is wrong, and what would be right.

    `mast` prints the message without a traceback and exits with status 2.
    """
