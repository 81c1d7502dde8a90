"""Tables are captioned by what their study shows or how their protocol measures, figures by their name."""

from support import ROOT

from mast.paths import FIGURE_SOURCES
from mast.protocols import PROTOCOLS

REPORT = ROOT / "workflow/report"


def test_every_kind_of_protocol_has_a_caption() -> None:
    for protocol in PROTOCOLS.values():
        assert protocol.CAPTION.endswith(".")


def test_every_figure_has_a_caption() -> None:
    assert set(FIGURE_SOURCES) <= {file.stem for file in REPORT.glob("*.rst")}
