"""Every protocol of the catalogue states what rules, tables, the report and tiny configurations need."""

import subprocess
import sys

import pytest
from pydantic import TypeAdapter

from mast.config.experiment import ProtocolSpec
from mast.protocols import PROTOCOLS, STAGES, Protocol


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_a_kind_is_its_files_name_and_its_defaults_and_tiny_settings_are_valid(kind: str) -> None:
    for settings in ({}, PROTOCOLS[kind].TINY):
        spec = TypeAdapter(ProtocolSpec).validate_python({"kind": kind, **settings})
        assert isinstance(spec, Protocol)
        assert (type(spec), spec.kind) == (PROTOCOLS[kind], kind)
        assert spec.READS in STAGES
        assert spec.SHOWN and spec.UNIT and spec.CAPTION.endswith(".")


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_settings_that_came_later_are_recorded_where_they_differ(kind: str) -> None:
    """So results without them, of the same version, are still those of these settings."""
    spec = PROTOCOLS[kind](kind=kind)
    for key, value in PROTOCOLS[kind].LATER.items():
        assert getattr(spec, key) == value
        assert key not in spec.model_dump() and f'"{key}"' not in spec.model_dump_json(exclude={"kind"})
    changed = {"precision": "bf16"} if "precision" in PROTOCOLS[kind].LATER else {}
    dumped = PROTOCOLS[kind](kind=kind, **changed).model_dump(mode="json", exclude={"kind"})
    assert "kind" not in dumped and dumped.items() >= changed.items()


PLANNING = """
import sys, mast.config
from mast.protocols import PROTOCOLS
dict(PROTOCOLS)
slow = {"torch", "torchvision", "timm", "sklearn", "scipy", "pandas", "matplotlib", "pycocotools"}
sys.exit(bool(slow & {*sys.modules}))
"""


def test_planning_imports_nothing_slow() -> None:
    assert subprocess.run([sys.executable, "-c", PLANNING]).returncode == 0
