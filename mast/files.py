"""Atomic writing of files, and their hashes."""

import glob
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from mast.errors import MastError

SEAL = "content_sha256"
"""Key of a JSON object that holds the hash of its other keys and values."""

WEIGHTS_METADATA = "mast"
"""The only key of a weight file's safetensors metadata; its value is a JSON object of strings."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; when the block ends well, sync it and rename it to `path`.

    A reader sees the old file or the whole new one, never a part. The temporary file is removed if the block fails, and
    so are temporary files left by a killed process. If two processes write one file at once, one of them therefore
    fails.

    Raises:
        OSError: the disk is full, read-only, …; its `filename` is `path` if the system named no file.
    """
    path = Path(path)
    prefix, suffix = f".{path.stem}.", f".tmp{path.suffix}"
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"{glob.escape(prefix)}????????{glob.escape(suffix)}"):
            left.unlink(missing_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if error.filename is None or error.filename == str(temporary):
            error.filename = str(path)
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def path_below(root: Path | str, file: Path | str) -> str:
    """Return the path from a directory to a file, even if the file is elsewhere and the directory is a link."""
    path = os.path.relpath(file, root)
    return os.path.relpath(file, os.path.realpath(root)) if path.startswith("..") else path


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write several files like `write_text`; none gets its name before all are written and synced."""
    with ExitStack() as written:
        for path, text in texts.items():
            with written.enter_context(atomic_path(path)).open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically. NaN and infinity are refused because they are not JSON."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_sealed_json(path: Path, value: dict[str, Any]) -> None:
    """Write `value` like `write_json`, with the hash of everything else as the last key, `SEAL`."""
    write_json(path, {**value, SEAL: sha256_json(value)})


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        MastError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MastError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MastError(f"{path}: not valid JSON ({error}); delete it and rerun the rule that makes it") from None


def read_sealed_json(path: Path) -> dict[str, Any]:
    """Read what `write_sealed_json` wrote, without the seal, after checking the seal.

    Raises:
        MastError: the file is missing, is not JSON, has no seal, or does not have the content that it was sealed with.
    """
    value = read_json(path)
    if not isinstance(value, dict) or SEAL not in value:
        raise MastError(
            f"{path}: has no {SEAL}: damaged, or written by an older version; delete it and rerun the rule that "
            "makes it"
        )
    content = {key: entry for key, entry in value.items() if key != SEAL}
    if value[SEAL] != sha256_json(content):
        raise MastError(f"{path}: changed since it was written ({SEAL}); delete it and rerun the rule that makes it")
    return content


def settle_times(directory: Path) -> None:
    """Set files dated in the future to the present, and keep their order.

    After a clock was set back, such files would look newer than everything made later, and so always up to date. Files
    removed in the meantime, such as temporary ones, are skipped.
    """
    now, dated = time.time_ns(), {}
    for path in (Path(folder, name) for folder, _, names in os.walk(directory) for name in names):
        with suppress(FileNotFoundError):
            dated[path] = path.stat().st_mtime_ns
    future = sorted({moment for moment in dated.values() if moment > now})
    for path, moment in dated.items():
        if moment > now:
            with suppress(FileNotFoundError):
                os.utime(path, ns=(now, now + 1000 * future.index(moment)))


def require_recorded(path: Path, record: Path) -> None:
    """Compare a file with its hash in `record`, a JSON file whose `files` map names to SHA-256; nothing if there is no
    record.

    Raises:
        MastError: the file is missing, or is not the recorded one.
    """
    if not Path(record).exists():
        return
    recorded = read_sealed_json(record).get("files", {}).get(Path(path).name)
    if recorded is not None:
        require_sha256(path, recorded, record)


def require_sha256(path: Path, recorded: str, record: Path) -> None:
    """Raise MastError unless a file has the SHA-256 that the file `record` lists for it."""
    if not Path(path).exists():
        raise MastError(f"{path}: no such file")
    if sha256_file(path) != recorded:
        raise MastError(
            f"{path}: damaged or changed (its SHA-256 is not that in {Path(record).name}); delete it, then run: "
            f"snakemake --profile profiles/default {path}"
        )


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hex digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a JSON-serialisable value, independent of the order of its keys; 64 hex digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
