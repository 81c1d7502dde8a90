"""TensorBoard event files of one run: the numbers of its log, its masks, and pairs of its views."""

from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from mast.learner import Learner
from mast.pretraining.metrics_log import Record

MASK_HEIGHT = 8
"""Height of a mask's row in the picture of all masks, pixels."""

NOT_SCALARS = ("step", "steps", "collapsed")


class EventFiles:
    """Copy of a metrics log as event files; made anew when the log begins anew, so that a resumed run has one curve."""

    def __init__(self, directory: Path, learner: Learner, pairs: dict[str, np.ndarray]) -> None:
        """Prepare the files; nothing is written before `restart`.

        Args:
            directory: directory of the event files only.
            learner: learner whose masks, if it has any, are drawn.
            pairs: pairs of views from `mast.analysis.pairs.sample_pairs`.
        """
        self.directory, self._learner, self._pairs = directory, learner, pairs
        self._names = learner.policy.names if learner.policy else ()
        self._writer: SummaryWriter | None = None

    def restart(self, records: list[Record]) -> None:
        """Begin with the picture of views and these lines."""
        self.close()
        for file in self.directory.glob("events.out.tfevents.*"):
            file.unlink()
        self._writer = SummaryWriter(str(self.directory))
        if len(self._pairs["images"]):
            shown = [self._pairs[name] for name in ("images", "a", "b") if len(self._pairs[name])]
            picture = np.concatenate([_column(images) for images in shown], axis=1)
            self._writer.add_image("views", picture, 0, dataformats="HWC")
        for record in records:
            self._add_scalars(record)

    def add(self, record: Record) -> None:
        """Write one line, and the masks too if it is a measurement or the last line."""
        self._add_scalars(record)
        if hasattr(self._learner, "masks") and ("knn" in record or record["step"] == record["steps"]):
            masks = self._learner.masks().detach().float().cpu().numpy()
            self._writer.add_image("masks", masks.repeat(MASK_HEIGHT, axis=0), record["step"], dataformats="HW")
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _add_scalars(self, record: Record) -> None:
        for name, value in record.items():
            if name in NOT_SCALARS:
                continue
            if isinstance(value, list):
                for part, one in zip(self._names, value, strict=True):
                    self._writer.add_scalar(f"{name}/{part}", one, record["step"])
            else:
                self._writer.add_scalar(name, value, record["step"])


def _column(images: np.ndarray) -> np.ndarray:
    """Stack images [E, S, S, 3] vertically, with a white margin at the right."""
    return np.pad(np.concatenate(list(images)), ((0, 0), (0, 2), (0, 0)), constant_values=255)
