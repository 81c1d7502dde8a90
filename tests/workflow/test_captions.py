"""Tables are captioned by what their study shows or how their protocol measures, figures by their name."""

from typing import get_args

from support import ROOT

from mast.config import ProtocolSpec
from mast.paths import FIGURE_SOURCES

REPORT = ROOT / "workflow/report"


def kinds() -> set[str]:
    models = get_args(get_args(ProtocolSpec)[0])
    return {get_args(model.model_fields["kind"].annotation)[0] for model in models}


def test_every_kind_of_protocol_has_a_caption_and_no_caption_is_left_over() -> None:
    assert {file.stem for file in (REPORT / "protocols").iterdir()} == kinds()


def test_every_figure_has_a_caption() -> None:
    assert set(FIGURE_SOURCES) <= {file.stem for file in REPORT.glob("*.rst")}
