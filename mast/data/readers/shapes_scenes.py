"""`shapes-scenes`: the embedded benchmark of several glyphs in an image."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mast.data.embedded.glyphs import GLYPHS
from mast.data.embedded.scenes import VERSION, render_scenes
from mast.data.known_labels import KnownObjects
from mast.data.prepared.writer import BOX_TARGET, Writer, channel_statistics
from mast.data.readers import Reader
from mast.settings import Count


class ScenesData(Reader):
    """The embedded detection benchmark: several `shapes` objects per image, boxes and masks in COCO format."""

    has_boxes: ClassVar[bool] = True
    tiny_most: ClassVar[dict[str, int]] = {"train": 8, "test": 4}

    kind: Literal["shapes-scenes"]
    train: Count = 400
    """Number of training scenes."""
    test: Count = 200
    """Number of test scenes."""
    size: Annotated[int, Field(ge=32, le=1024)] = 96
    """Side of the square scenes, pixels."""
    max_objects: Count = 4
    """Largest number of objects in a scene; each scene has at least 1."""
    seed: int = 0
    """Seed of the scenes; the same seed always draws the same scenes."""

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Render both splits and write the prepared form."""
        with Writer(output) as writer:
            for split, count in (("train", self.train), ("test", self.test)):
                images, coco = render_scenes(count, self.size, self.max_objects, self.seed, split)
                writer.split(split, images, None)
                writer.annotations(split, coco)
            source = f"rendered by mast.data.embedded.scenes, generator version {VERSION}"
            statistics = channel_statistics(writer.load("train_images.npy"))
            writer.finish(name, self.model_dump(mode="json"), source, "MIT", {BOX_TARGET: list(GLYPHS)}, *statistics)

    @property
    def known_objects(self) -> KnownObjects:
        """Objects of the prepared data: every scene has an object, and every object a mask."""
        return KnownObjects(self.train, None)

    @property
    def prepared_bytes(self) -> int:
        """Size of the prepared images, bytes; all scenes have one size."""
        return (self.train + self.test) * self.size**2 * 3
