"""Code shared by the embedded benchmarks whose images have labels."""

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Annotated, ClassVar

from pydantic import Field

from mast.data.known_labels import KnownLabels
from mast.data.prepared.splits import random_split
from mast.data.prepared.writer import Writer, channel_statistics
from mast.data.settings import HeldOut
from mast.settings import Count


class RenderedData(HeldOut):
    """Images drawn by a module of mast.data.embedded, with a label for each factor."""

    tiny_most: ClassVar[dict[str, int]] = {"train": 400, "test": 80}  # enough for 1 % of the labels of two classes
    licence: ClassVar[str] = "MIT"

    kind: str
    train: Count = 6000
    """Number of training images."""
    test: Count = 2000
    """Number of test images."""
    size: Annotated[int, Field(ge=16, le=256)] = 32
    """Side of the square images, pixels."""
    seed: int = 0
    """Seed of the images; the same seed always draws the same images."""

    @property
    @abstractmethod
    def generator(self) -> ModuleType:
        """Module that draws the images: `TARGETS`, target → class names; `VERSION`; `render` and `draw_labels`."""

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Render both splits and write the prepared form."""
        drawn = self.generator
        train, labels = drawn.render(self.train, self.size, self.seed, "train")
        targets = {target: list(names) for target, names in drawn.TARGETS.items()}
        source = f"rendered by {drawn.__name__}, generator version {drawn.VERSION}"
        with Writer(output) as writer:
            writer.split("train", train, labels)
            writer.split("test", *drawn.render(self.test, self.size, self.seed, "test"))
            writer.array("val_indices.npy", random_split(self.train, self.validation_fraction, self.split_seed)[1])
            writer.finish(name, self.model_dump(mode="json"), source, self.licence, targets, *channel_statistics(train))

    @property
    def train_count(self) -> int:
        """Number of training images, as set."""
        return self.train

    @cached_property
    def known_labels(self) -> KnownLabels:
        """Labels, which are drawn without the images."""
        drawn = self.generator
        train, test = (
            drawn.draw_labels(n, self.seed, split) for n, split in ((self.train, "train"), (self.test, "test"))
        )
        validation = random_split(self.train, self.validation_fraction, self.split_seed)[1]
        return KnownLabels({target: len(names) for target, names in drawn.TARGETS.items()}, train, test, validation)

    @property
    def prepared_bytes(self) -> int:
        """Size of the prepared images, bytes; all images have one size."""
        return (self.train + self.test) * self.size**2 * 3
