"""Table captions come from their study or their protocol, figure captions from the figure's file."""

from pathlib import Path

import pytest
from support import ROOT
from support.extending import copied_checkout

from mast.config.figures import FIGURES
from mast.protocols import PROTOCOLS

REPORT = ROOT / "workflow/report"


def test_every_kind_of_protocol_has_a_caption() -> None:
    for protocol in PROTOCOLS.values():
        assert protocol.CAPTION.endswith(".")
    assert {file.stem for file in REPORT.glob("*.rst")} == {"workflow", "caption", "comparison", "health"}


def test_every_figure_has_a_caption() -> None:
    assert all(source.caption for source in FIGURES.values())


@pytest.mark.slow
def test_a_missing_caption_is_named(tmp_path: Path) -> None:
    project = copied_checkout(tmp_path / "copy")
    missing = project.directory / "workflow/report/health.rst"
    missing.unlink()
    run = project.smoke("--dry-run", "all")
    assert run.returncode != 0
    assert f"{missing}: no such file; write the caption for the report there" in run.stdout
    assert "Traceback" not in run.stdout
