"""The committed labelled subsets of the embedded data are those that the protocols draw."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mast.data.embedded.shapes import TARGETS, draw_labels
from mast.data.prepared.splits import stratified_split
from mast.data.readers.digits import DigitsData
from mast.data.readers.shapes import ShapesData
from mast.protocols._semi import SemiProtocol, labelled_subset
from mast.protocols.semi_1 import Semi1Protocol
from mast.protocols.semi_10 import Semi10Protocol

SPLITS = Path(__file__).with_name("splits")
PROTOCOLS = (
    Semi1Protocol(kind="semi-1"),
    Semi10Protocol(kind="semi-10"),
)


def shapes_labels() -> dict[str, np.ndarray]:
    spec = ShapesData(kind="shapes")
    return dict(zip(TARGETS, draw_labels(spec.train, spec.seed).T, strict=True))


def digits_labels() -> dict[str, np.ndarray]:
    spec, labels = DigitsData(kind="digits"), load_digits().target
    return {"digit": labels[stratified_split(labels, spec.test_fraction, spec.split_seed)[0]]}


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.kind)
@pytest.mark.parametrize(("name", "labels"), [("shapes", shapes_labels), ("digits", digits_labels)])
def test_subsets_are_those_committed(
    protocol: SemiProtocol, name: str, labels: Callable[[], dict[str, np.ndarray]]
) -> None:
    committed = json.loads((SPLITS / f"{name}.json").read_text(encoding="utf-8"))
    for target, column in labels().items():
        drawn = labelled_subset(column, protocol.fraction, protocol.subset_seed)
        assert drawn.tolist() == committed[f"{target} {protocol.kind}"]
