"""`shapes`: the embedded benchmark of single glyphs."""

from types import ModuleType
from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from mast.data.embedded import shapes, shapes_2
from mast.data.readers._rendered import RenderedData

GENERATORS: dict[int, ModuleType] = {generator.VERSION: generator for generator in (shapes, shapes_2)}
"""Version → module that draws its images and labels."""


class ShapesData(RenderedData):
    """The embedded benchmark: rendered glyphs with six independent factors. Nothing to download."""

    kind: Literal["shapes"]
    version: Literal[1, 2] = 1
    """Generator that draws the images. With 1, chance decides whether texture is learned
    (docs/record/first-verdict.md). With 2, every factor is learned, or erased by an augmentation
    (docs/understand/instrument.md).
    """

    @property
    def generator(self) -> ModuleType:
        """Generator of the version."""
        return GENERATORS[self.version]

    @model_serializer(mode="wrap")
    def _without_the_first_version(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out version 1: prepared data are identified by their settings, and those of version 1 are older than
        the key.
        """
        return {key: value for key, value in serialize(self).items() if (key, value) != ("version", 1)}
