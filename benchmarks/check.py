"""`make bench-check`: compare the ratios of a short measurement with benchmarks/baseline.json, with wide margins.

Ratios are compared and not times, so that the check works on any machine of the kind. It is not part of `make test`.
"""

import json
from pathlib import Path

import pytest

from benchmarks import augmentation, objective, step
from benchmarks.result import Target

MARGIN = 1.4
"""Factor by which a ratio may be worse than its baseline."""
BASELINE = json.loads(Path(__file__).with_name("baseline.json").read_text())


@pytest.fixture(scope="module")
def measured() -> dict[str, Target]:
    sections = [section.measure(quick=True) for section in (objective, augmentation, step)]
    return {target.name: target for section in sections for target in section.targets}


@pytest.mark.parametrize("name", BASELINE)
def test_ratio_is_near_its_baseline(name: str, measured: dict[str, Target]) -> None:
    target = measured[name]
    if target.at_least:
        assert target.measured >= BASELINE[name] / MARGIN
    else:
        assert target.measured <= BASELINE[name] * MARGIN
