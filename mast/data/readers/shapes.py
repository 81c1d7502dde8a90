"""`shapes`: the embedded benchmark of single glyphs."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mast.data.embedded.shapes import TARGETS, VERSION, draw_labels, render_shapes
from mast.data.known_labels import KnownLabels
from mast.data.prepared.splits import random_split
from mast.data.prepared.writer import Writer, channel_statistics
from mast.data.settings import HeldOut
from mast.settings import Count


class ShapesData(HeldOut):
    """The embedded benchmark: rendered glyphs with six independent factors. Nothing to download."""

    tiny_most: ClassVar[dict[str, int]] = {"train": 400, "test": 80}  # enough for 1 % of the labels of two classes

    kind: Literal["shapes"]
    train: Count = 6000
    test: Count = 2000
    size: Annotated[int, Field(ge=16, le=256)] = 32
    """Side of the square images, pixels."""
    seed: int = 0
    """Seed of the images; the same seed always draws the same images."""

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Render both splits and write the prepared form."""
        train, labels = render_shapes(self.train, self.size, self.seed, "train")
        targets = {target: list(names) for target, names in TARGETS.items()}
        source = f"rendered by mast.data.embedded.shapes, generator version {VERSION}"
        with Writer(output) as writer:
            writer.split("train", train, labels)
            writer.split("test", *render_shapes(self.test, self.size, self.seed, "test"))
            writer.array("val_indices.npy", random_split(self.train, self.validation_fraction, self.split_seed)[1])
            writer.finish(name, self.model_dump(mode="json"), source, "MIT", targets, *channel_statistics(train))

    @property
    def train_count(self) -> int:
        """As stated."""
        return self.train

    @cached_property
    def known_labels(self) -> KnownLabels:
        """The labels are drawn without the images."""
        train, test = draw_labels(self.train, self.seed, "train"), draw_labels(self.test, self.seed, "test")
        validation = random_split(self.train, self.validation_fraction, self.split_seed)[1]
        return KnownLabels({target: len(names) for target, names in TARGETS.items()}, train, test, validation)

    @property
    def prepared_bytes(self) -> int:
        """All images are of one size."""
        return (self.train + self.test) * self.size**2 * 3
