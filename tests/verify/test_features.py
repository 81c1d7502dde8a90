"""`mast verify` compares the origin in a features file with its path."""

from pathlib import Path

import numpy as np
import pytest
from support.origins import ORIGIN

from mast.evaluation.features_file import Features, write_features
from mast.results import Results
from mast.verify.verification import Verification


@pytest.mark.parametrize(("path", "recorded"), [("global", "grid"), ("grid", "global")])
def test_features_that_are_pooled_otherwise_than_their_name_says_are_found(
    tmp_path: Path, path: str, recorded: str
) -> None:
    labels = np.array([[0], [1]])
    for pooling in (path, recorded):
        file = Results(tmp_path).features(ORIGIN.dataset, ORIGIN.run, ORIGIN.seed, ORIGIN.task, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        features = np.ones((2, 3), np.float32)
        targets = {"shade": ["dark", "light"]}
        write_features(file, Features(features, features, labels, labels, np.array([1]), targets, ORIGIN, pooling))
        found = list(Verification(tmp_path).findings())
        if pooling == path:
            assert found == []
        else:
            [line] = found
            assert line.startswith(f"{file}: pooling {recorded!r} differs from {path!r} of its path; rm -f ")
