"""Check that a file can be read to its end, by the rules of its format."""

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from mast.errors import MastError
from mast.files import read_json


def unreadable(file: Path) -> str | None:
    """Return what is wrong with a file's format; None if nothing is, or if the format is not one of `READERS`.

    For JSON the seal is checked as well, and for archives (npz, pt) the checksums of their entries.
    """
    read = READERS.get(file.suffix)
    if read is None:
        return None
    try:
        read(file)
    except MastError as error:
        return str(error).removeprefix(f"{file}: ").split(";")[0]
    except (OSError, ValueError, EOFError, SafetensorError, csv.Error, zipfile.BadZipFile) as error:
        return f"cannot be read as {file.suffix[1:]} ({str(error).splitlines()[0] if str(error) else 'cut off'})"
    return None


def _json_lines(file: Path) -> None:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number}: {error}") from None


def _csv(file: Path) -> None:
    with file.open(encoding="utf-8", newline="") as text:
        lengths = [len(row) for row in csv.reader(text, strict=True)]
    if not lengths or len(set(lengths)) > 1:
        raise ValueError("empty" if not lengths else "rows of different lengths")


def _npy(file: Path) -> None:
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    if array.offset + array.nbytes != file.stat().st_size:
        raise ValueError("longer than stated in its header")


def _archive(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} is damaged")


def _npz(file: Path) -> None:
    _archive(file)
    with np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:
            arrays[name]


def _safetensors(file: Path) -> None:
    with safe_open(file, framework="np") as tensors:
        list(tensors.keys())


READERS: dict[str, Callable[[Path], object]] = {
    ".json": read_json,
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".pt": _archive,
}
"""Suffix → a reader that raises if the file is damaged."""
