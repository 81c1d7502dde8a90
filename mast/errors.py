"""The one exception whose message is written for the user."""


class MastError(Exception):
    """Something the user can correct: one line that names the key or file, what is wrong, and what would be right.

    `mast` prints the message without a traceback and exits with `EXIT_STATUS`. Line ends and other invisible
    characters, which names of files and classes may contain, are written as escapes (`\\n`, `\\u200b`).
    """

    EXIT_STATUS = 2

    def __str__(self) -> str:
        """Return the message on one line."""
        return visible(super().__str__())


def visible(text: str) -> str:
    """Return the text with invisible characters written as Python escapes."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
