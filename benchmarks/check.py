"""`make bench-check`: the ratios of a short measurement against benchmarks/baseline.json, with wide margins.

Ratios and not times, so that it holds on any machine of the kind; no part of `make test`.
"""

import json
from pathlib import Path

import pytest

from benchmarks import augmentation, objective, step
from benchmarks.result import Target

MARGIN = 1.4
"""A ratio may be this much worse than its baseline."""
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
