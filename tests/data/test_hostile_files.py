"""Files with false headers end in one line that names them, quickly and without filling memory."""

import io
import json
import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mast.cli import main
from mast.data.decode import UnreadableImageError, decode, measure

pytestmark = pytest.mark.xdist_group("verify")


def png(width: int, height: int) -> bytes:
    """A valid PNG of 10 × 10 pixels, whose header states other sides, with a right checksum."""
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # for sides just above Pillow's limit
@pytest.mark.parametrize(("width", "height"), [(2**31 - 1, 2**31 - 1), (65535, 65535), (1, 90_000_000), (0, 10)])
def test_an_absurd_size_is_refused_by_the_header_alone(tmp_path: Path, width: int, height: int) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(png(width, height))
    for read in (decode, measure):
        with pytest.raises(UnreadableImageError) as error:
            read(file)
        assert str(error.value).startswith(f"{file}: cannot be read as an image") and "\n" not in str(error.value)


def test_a_header_that_states_more_than_there_is_gives_no_image(tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(png(5000, 5000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableImageError, match=r"x\.png: cannot be read as an image"):
        decode(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000, "KiB"


def test_entities_that_grow_without_bound_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "x" * 100}">' for i in range(12))
    folder = tmp_path / "VOC2007"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    for image_set in ("trainval", "test"):
        (folder / f"ImageSets/Main/{image_set}.txt").write_text("1\n")
    (folder / "Annotations/1.xml").write_text(f"<!DOCTYPE a [{entities}]><annotation>&e11;</annotation>")
    (folder / "JPEGImages/1.jpg").write_bytes(b"")
    spec = json.dumps({"kind": "voc", "root": str(tmp_path), "train": ["2007/trainval"]})
    assert main(["prepare", "--dataset", "bomb", "--spec", spec, "--output", str(tmp_path / "out")]) == 2
    [message] = capsys.readouterr().err.splitlines()
    assert "1.xml: not valid XML (limit on input amplification factor" in message
