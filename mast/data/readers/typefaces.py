"""`typefaces`: the embedded benchmark of printed letters."""

from types import ModuleType
from typing import ClassVar, Literal

from mast.data.embedded import typefaces
from mast.data.readers._rendered import RenderedData


class TypefacesData(RenderedData):
    """The embedded benchmark of letters in matplotlib's fonts, with five independent factors. Nothing to download."""

    licence: ClassVar[str] = "MIT; letters of DejaVu (Bitstream Vera licence) and STIX (STIX Font License)"

    kind: Literal["typefaces"]

    @property
    def generator(self) -> ModuleType:
        """One version."""
        return typefaces
