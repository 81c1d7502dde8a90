"""Checks that need the prepared data or the model library, made once for all runs before the first training."""

from pathlib import Path

import torch

from mast.config.plan import Plan
from mast.data.batches import TrainingBatches
from mast.data.store import open_prepared
from mast.errors import MastError
from mast.pretrain.run import build_learner


def check_plan(plan: Plan, data: Path) -> None:
    """Check that every run can be built and fed, and every task evaluated.

    Args:
        plan: all runs and tasks.
        data: directory of the prepared data sets.

    Raises:
        MastError: `runs.<name>: …` or `datasets.<name>: …`, for the first that cannot work.
    """
    for run, spec in plan.runs.items():
        try:
            prepared = open_prepared(data / spec.dataset)
            with torch.device("meta"):
                build_learner(spec, prepared)
            if spec.batch_size is not None:
                TrainingBatches(prepared.images("train"), None, spec.batch_size, seed=0)
        except MastError as error:
            raise MastError(f"runs.{run}: {error}") from None
    for task in plan.tasks:
        prepared = open_prepared(data / task)
        for split in ("train", "test"):
            if not prepared.has(split) or prepared.labels(split) is None:
                raise MastError(
                    f"datasets.{task}: a task needs labelled train and test images, and has no {split} labels"
                )
