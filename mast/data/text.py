"""Text files that list one thing per line."""

from pathlib import Path

from mast.errors import MastError


def read_lines(file: Path, hint: str) -> list[str]:
    """Return the lines of a text file that are not empty, without white space at their ends or a byte order mark.

    Lines end only at LF and CRLF, not at other characters that Unicode counts as line ends, because names may contain
    these.

    Args:
        file: text file in UTF-8.
        hint: end of the message if there is no such file.

    Raises:
        MastError: the file is missing, cannot be read, is not UTF-8, or lists nothing.
    """
    lines = [line.strip(" \t\r") for line in read_text(file, hint).split("\n")]
    found = [line for line in lines if line]
    if not found:
        raise MastError(f"{file}: lists no image")
    return found


def read_text(file: Path, hint: str) -> str:
    """Return a text with its line ends unchanged; a byte order mark is skipped.

    Args:
        file: text file in UTF-8.
        hint: end of the message if there is no such file.

    Raises:
        MastError: the file is missing, cannot be read, or is not UTF-8.
    """
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise MastError(f"{file}: no such file; {hint}") from None
    except UnicodeDecodeError:
        raise MastError(f"{file}: is not text in UTF-8; save it in that encoding") from None
    except OSError as error:
        raise MastError(f"{file}: cannot be read ({error.strerror}); {hint}") from None
