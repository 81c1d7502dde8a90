"""Text files that list things, one a line."""

from pathlib import Path

from mast.errors import MastError


def read_lines(file: Path, hint: str) -> list[str]:
    """The lines of a text file that are not empty, without white space at their ends; a byte order mark is passed over.

    Lines end where files end them (LF, CRLF), not at other characters that Unicode counts as ends of lines: names may
    hold these.

    Args:
        file: UTF-8.
        hint: ends the message where there is no such file.

    Raises:
        MastError: the file is missing, cannot be read, is not UTF-8, or lists nothing.
    """
    lines = [line.strip(" \t\r") for line in read_text(file, hint).split("\n")]
    found = [line for line in lines if line]
    if not found:
        raise MastError(f"{file}: lists no image")
    return found


def read_text(file: Path, hint: str) -> str:
    """A text with its ends of lines as they are; a byte order mark is passed over.

    Args:
        file: UTF-8.
        hint: ends the message where there is no such file.

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
