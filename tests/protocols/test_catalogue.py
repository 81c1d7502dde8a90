"""Every protocol of the catalogue states what rules, tables, the report and tiny configurations ask of it."""

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


PLANNING = """
import sys, mast.config
from mast.protocols import PROTOCOLS
dict(PROTOCOLS)
slow = {"torch", "torchvision", "timm", "sklearn", "scipy", "pandas", "matplotlib", "pycocotools"}
sys.exit(bool(slow & {*sys.modules}))
"""


def test_planning_imports_nothing_slow() -> None:
    assert subprocess.run([sys.executable, "-c", PLANNING]).returncode == 0
