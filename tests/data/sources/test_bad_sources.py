"""A faulty public dataset gives one line; half-written files do not count, and a rerun repairs them."""

import errno
import hashlib
import io
import resource
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from support.layouts import LAYOUTS

from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.public import PublicData
from mast.data.sources import archives
from mast.data.sources.archives import fetch, unpack
from mast.data.sources.source import Archive, Source
from mast.errors import MastError
from mast.settings import parse


def spec(source: str, root: Path, **settings: object) -> PublicData:
    return PublicData(kind="public", source=source, root=str(root), size=8, **{"verify": False, **settings})


def fails(tmp_path: Path, source: str, match: str, **settings: object) -> None:
    with pytest.raises(MastError, match=match) as error:
        prepare(source, spec(source, tmp_path / "root", **settings), tmp_path / "data")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "data/manifest.json").exists() and not (tmp_path / "data/.partial").exists()


@pytest.mark.parametrize("source", sorted(LAYOUTS))
def test_nothing_there(source: str, tmp_path: Path) -> None:
    fails(tmp_path, source, r"root/.*: missing; .* needs .* in .*root: .*get it from http")


def test_missing_split_file_is_named_and_a_rerun_repairs_it(tmp_path: Path) -> None:
    LAYOUTS["dtd"](tmp_path / "root")
    listed = tmp_path / "root/dtd/dtd/labels/val1.txt"
    listed.rename(tmp_path / "aside")
    fails(tmp_path, "dtd", r"labels/val1\.txt: missing; DTD needs")
    (tmp_path / "aside").rename(listed)
    prepare("dtd", spec("dtd", tmp_path / "root"), tmp_path / "data")
    open_prepared(tmp_path / "data").verify()


def test_missing_image_is_named(tmp_path: Path) -> None:
    LAYOUTS["mit67"](tmp_path / "root")
    (tmp_path / "root/mit67/Images/bee/test 1.jpg").unlink()
    fails(tmp_path, "mit67", r"bee/test 1\.jpg: missing \(1 of the 6 test images")


def test_official_number_of_images(tmp_path: Path) -> None:
    LAYOUTS["mit67"](tmp_path / "root")
    fails(tmp_path, "mit67", "12 train images, but MIT-67 indoor scenes has 5360; .* verify: false", verify=True)


def test_official_number_of_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LAYOUTS["mit67"](tmp_path / "root")
    monkeypatch.setitem(catalogue_counts("mit67"), "train", 12)
    monkeypatch.setitem(catalogue_counts("mit67"), "test", 6)
    fails(tmp_path, "mit67", "3 classes, but MIT-67 indoor scenes has 67", verify=True)


def catalogue_counts(source: str) -> Mapping[str, int]:
    from mast.data.sources.catalogue import SOURCES

    return SOURCES[source].counts


@pytest.mark.parametrize("source", ["stl10", "cifar10", "flowers102"])
def test_wrong_checksum_is_named(source: str, tmp_path: Path) -> None:
    LAYOUTS[source](tmp_path / "root")
    fails(tmp_path, source, r"root/.*: differs from the official file \(MD5 [0-9a-f]{32}\)", verify=True)


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("cifar100", "cifar-100-python/train"),
        ("cars", "stanford_cars/devkit/cars_train_annos.mat"),
        ("inaturalist2018", "val2018.json"),
        ("places205", "train_places205.csv"),
        ("pets", "oxford-iiit-pet/annotations/test.txt"),
        ("aircraft", "fgvc-aircraft-2013b/data/images_variant_train.txt"),
        ("stl10", "stl10_binary/train_X.bin"),
    ],
)
def test_damaged_files(source: str, file: str, tmp_path: Path) -> None:
    LAYOUTS[source](tmp_path / "root")
    path = tmp_path / "root" / file
    path.write_bytes(b"damaged" + path.read_bytes()[: path.stat().st_size // 3])
    fails(tmp_path, source, "not laid out as|missing")


def test_too_few_images_for_caltech(tmp_path: Path) -> None:
    LAYOUTS["caltech101"](tmp_path / "root")
    for number in range(31, 34):
        (tmp_path / f"root/caltech101/101_ObjectCategories/bee/image_{number:04d}.jpg").unlink()
    fails(tmp_path, "caltech101", "bee: 30 images; a class of Caltech-101 needs 31")


def test_data_without_files_cannot_be_indexed() -> None:
    with pytest.raises(MastError, match="storage: cifar10 has no image files"):
        parse(PublicData, {"kind": "public", "source": "cifar10", "root": "x", "storage": "index"}, "test")


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills up while the second array is written; then there is space again."""
    from mast.data.prepared import writer as writing

    LAYOUTS["mit67"](tmp_path / "root")
    original, calls = writing.Writer.stream, []

    def fill(writer: writing.Writer, file: str, rows: Iterable[np.ndarray], shape: tuple[int, ...]) -> int:
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "data" / file))
        return original(writer, file, rows, shape)

    monkeypatch.setattr(writing.Writer, "stream", fill)
    fails(tmp_path, "mit67", r"test_images\.npy: preparing 'mit67' stopped \(No space left on device\); check disk")
    prepare("mit67", spec("mit67", tmp_path / "root"), tmp_path / "data")
    open_prepared(tmp_path / "data").verify()


def tar(path: Path, members: dict[str, bytes | tuple[bytes, str]], **settings: object) -> Path:
    with tarfile.open(path, "w:gz", **settings) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                info.type, info.linkname = content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != ".mast-lock")


@pytest.mark.parametrize(
    "members",
    [
        {"data/a": b"1", "../outside": b"2"},
        {"data/a": b"1", "data/../../outside": b"2"},
        {"data/link": (tarfile.SYMTYPE, "../.."), "data/link/outside": b"2"},
        {"data/link": (tarfile.SYMTYPE, "/etc")},
        {"data/link": (tarfile.LNKTYPE, "../../outside")},
    ],
)
def test_tar_that_would_write_outside(members: dict[str, bytes | tuple[bytes, str]], tmp_path: Path) -> None:
    archive = tar(tmp_path / "bad.tar.gz", members)
    with pytest.raises(MastError, match=r"bad\.tar\.gz: unsafe, not unpacked"):
        unpack(archive, tmp_path / "target/root")
    assert tree(tmp_path) == ["bad.tar.gz", "target", "target/root"]


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", "..\\outside", "C:/outside"])
def test_zip_that_would_write_outside(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("good", b"1")
        archive.writestr(zipfile.ZipInfo(name), b"2")
    with pytest.raises(MastError, match=r"bad\.zip: unsafe, not unpacked"):
        unpack(tmp_path / "bad.zip", tmp_path / "target/root")
    assert tree(tmp_path) == ["bad.zip", "target", "target/root"]


def test_archive_in_an_archive(tmp_path: Path) -> None:
    inner = tar(tmp_path / "inner.tar.gz", {"images/a": b"1"})
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "outer/inner.tar.gz")
        archive.writestr("outer/other", b"2")
    unpack(tmp_path / "outer.zip", tmp_path / "target", "outer/inner.tar.gz")
    assert tree(tmp_path / "target") == ["images", "images/a"]


def test_folders_of_the_user_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "target/images").mkdir(parents=True)
    with pytest.raises(MastError, match="images: is in the way of unpacking"):
        unpack(tar(tmp_path / "a.tar.gz", {"images/a": b"1", "b": b"2"}), tmp_path / "target")
    assert tree(tmp_path / "target") == ["images"]


class Server(ThreadingHTTPServer):
    """Sends `contents[name]` for every address that ends in this name; announces `announced` bytes, if that is set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.announced, self.asked = {}, None, []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        self.server.asked.append(name)
        if name not in self.server.contents:
            self.send_error(404)
            return
        content = self.server.contents[name]
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.announced or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def source_of(content: bytes, server: Server, known: bool = True) -> Source:
    """`known`: a checksum of its archive is published."""
    archive = Archive(f"{server.address}/toy.tar.gz", hashlib.md5(content).hexdigest() if known else None, "toy")
    return Source("Toy", "https://example.org", None, {"toy": None}, {"train": 1}, 1, 0.1, archives=(archive,))


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return tar(tmp_path / "toy.tar.gz", {f"toy/{number}": b"image" * number for number in range(9)}).read_bytes()


def test_fetched_once(server: Server, content: bytes, tmp_path: Path) -> None:
    server.contents["toy.tar.gz"] = content
    for _ in range(2):
        fetch(source_of(content, server), tmp_path / "root")
    assert tree(tmp_path / "root") == sorted(["toy", *(f"toy/{number}" for number in range(9)), "toy.tar.gz"])
    assert server.asked == ["toy.tar.gz"]


def test_data_sets_that_share_an_archive_fetch_it_once(server: Server, content: bytes, tmp_path: Path) -> None:
    server.contents["toy.tar.gz"] = content
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: fetch(source_of(content, server), tmp_path / "root"), range(3)))
    assert server.asked == ["toy.tar.gz"] and (tmp_path / "root/toy/8").exists()


def fetched_after_repair(server: Server, content: bytes, root: Path, known: bool = True) -> bool:
    server.contents["toy.tar.gz"], server.announced = content, None
    fetch(source_of(content, server, known), root)
    return (root / "toy/8").read_bytes() == b"image" * 8


def test_wrong_archive_is_not_kept_and_a_rerun_repairs_it(server: Server, content: bytes, tmp_path: Path) -> None:
    server.contents["toy.tar.gz"] = content + b"x"
    with pytest.raises(MastError, match="the download does not have the MD5"):
        fetch(source_of(content, server), tmp_path / "root")
    assert tree(tmp_path / "root") == []
    assert fetched_after_repair(server, content, tmp_path / "root")


@pytest.mark.parametrize("known", [True, False])
def test_cut_off_download_is_not_kept_and_a_rerun_repairs_it(
    known: bool, server: Server, content: bytes, tmp_path: Path
) -> None:
    server.contents["toy.tar.gz"], server.announced = content[:50], len(content)
    with pytest.raises(MastError, match=r"toy\.tar\.gz: cannot be fetched \(cut off after 50 of [\d,]+ bytes\); run"):
        fetch(source_of(content, server, known), tmp_path / "root")
    assert tree(tmp_path / "root") == []
    assert fetched_after_repair(server, content, tmp_path / "root", known)


def test_what_is_not_at_its_address_is_named(server: Server, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(MastError, match=r"toy\.tar\.gz: cannot be fetched \(HTTP Error 404: Not Found\); .* it at /"):
        fetch(source_of(content, server), tmp_path / "root")


def test_half_downloaded_archive_that_lies_there_is_fetched_again(
    server: Server, content: bytes, tmp_path: Path
) -> None:
    server.contents["toy.tar.gz"] = content
    (tmp_path / "root").mkdir()
    (tmp_path / "root/toy.tar.gz").write_bytes(content[: len(content) // 2])
    fetch(source_of(content, server), tmp_path / "root")
    assert (tmp_path / "root/toy.tar.gz").read_bytes() == content


def test_archive_that_cannot_be_unpacked_to_its_end(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "half.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(MastError, match=r"half\.tar\.gz: damaged or cut off .*; delete it and run again"):
        unpack(tmp_path / "half.tar.gz", tmp_path / "target")
    assert tree(tmp_path / "target") == []


def test_flipped_bit_in_an_archive_without_published_checksum(tmp_path: Path) -> None:
    """Stored, not compressed, so that nothing but gzip's own checksum can tell."""
    file = tar(tmp_path / "stored.tar.gz", {"images/a": b"image" * 200}, compresslevel=0)
    content = bytearray(file.read_bytes())
    content[content.index(b"image" * 100) + 50] ^= 1
    file.write_bytes(content)
    with pytest.raises(MastError, match=r"stored\.tar\.gz: damaged or cut off \(CRC check failed"):
        unpack(file, tmp_path / "target")
    assert tree(tmp_path / "target") == []


def test_leftovers_of_a_killed_process_do_not_count(server: Server, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "root/.mast-partial/toy").mkdir(parents=True)
    (tmp_path / "root/.mast-partial/toy/0").write_bytes(b"half")
    assert fetched_after_repair(server, content, tmp_path / "root")
    assert ".mast-partial" not in tree(tmp_path / "root")


@pytest.mark.parametrize("limit", [100, 3000])
def test_disk_that_is_full_while_fetching_or_unpacking(limit: int, server: Server, tmp_path: Path) -> None:
    """No file may be larger than the limit: the archive is, or (compressed well) an image in it."""
    zeros = tar(tmp_path / "toy.tar.gz", {f"toy/{number}": bytes(5000) for number in range(9)}).read_bytes()
    assert 100 < len(zeros) < 3000
    server.contents["toy.tar.gz"] = zeros
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            fetch(source_of(zeros, server), tmp_path / "root")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert not (tmp_path / "root/toy").exists() and not list((tmp_path / "root").glob(".mast-partial"))
    fetch(source_of(zeros, server), tmp_path / "root")
    assert (tmp_path / "root/toy/8").read_bytes() == bytes(5000)


def test_nothing_is_fetched_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "urlopen", lambda *_, **__: pytest.fail("fetched"))
    fails(tmp_path, "cifar10", "missing; CIFAR-10 needs .* set download: true, or get it from")
