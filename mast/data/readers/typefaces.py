"""`typefaces`: the embedded benchmark of printed letters."""

from types import ModuleType
from typing import ClassVar, Literal

from mast.data.embedded import letters, typefaces
from mast.data.readers._rendered import RenderedData
from mast.errors import MastError


class TypefacesData(RenderedData):
    """The embedded benchmark of letters in matplotlib's fonts, with five independent factors. Nothing to download."""

    licence: ClassVar[str] = "MIT; letters of DejaVu (Bitstream Vera licence) and STIX (STIX Font License)"

    kind: Literal["typefaces"]

    @property
    def generator(self) -> ModuleType:
        """The only version of the generator."""
        return typefaces

    def needed(self) -> list[str]:
        """Return the fonts, which some distributions of matplotlib leave out."""
        return [str(file) for file in letters.font_files()]

    def check(self, evaluated: bool) -> None:
        """Check that every font exists."""
        for file in self.missing():
            raise MastError(f"{file}: a font of matplotlib is missing; {letters.INSTALL}")
