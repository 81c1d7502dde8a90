"""The one exception that a user is meant to read."""


class MastError(Exception):
    """Something the user can put right: one line that names the key or file, what is wrong, and what would be right.

    `mast` prints the message without a traceback and exits with status 2. Line ends and other characters that no screen
    shows, which names of files and classes may hold, are written as escapes (`\\n`, `\\u200b`).
    """

    def __str__(self) -> str:
        """The message, on one line."""
        return visible(super().__str__())


def visible(text: str) -> str:
    """A text with what no screen shows written as escapes of Python."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
