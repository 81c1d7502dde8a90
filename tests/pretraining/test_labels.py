"""A method that needs labels is told of missing and of ignored ones before it trains."""

from pathlib import Path

import numpy as np
import pytest

from mast.config.pretrain import PretrainSpec
from mast.data.prepared.store import open_prepared
from mast.data.prepared.writer import Writer
from mast.errors import MastError
from mast.pretraining.run import build_learner
from mast.settings import parse

TINY = {"dataset": "tiny", "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 6, 8, 10]}}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "the method needs labels, which 'tiny' does not have; choose other data"),
        ([0, 1, -1, 1], r"the method needs a label of every image, and 'tiny' has images .* \(label −1\)"),
    ],
)
def test_labels_that_are_missing_or_to_be_ignored_are_refused(
    tmp_path: Path, labels: list[int] | None, message: str
) -> None:
    writer, own = Writer(tmp_path / "data"), None if labels is None else np.array(labels)[:, None]
    writer.split("train", np.zeros((4, 16, 16, 3), np.uint8), own)
    targets = {} if labels is None else {"cat": ["absent", "present"]}
    writer.finish("tiny", {}, "random", "none", targets, [0.5] * 3, [0.25] * 3)
    spec = {
        method: parse(PretrainSpec, TINY | {"method": method}, "test").resolved() for method in ("supervised", "vicreg")
    }
    with pytest.raises(MastError, match=message):
        build_learner(spec["supervised"], open_prepared(tmp_path / "data"))
    build_learner(spec["vicreg"], open_prepared(tmp_path / "data"))
