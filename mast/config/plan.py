"""What is checked before any training starts."""

from mast.config.base import Name, StrictModel
from mast.config.pretrain import PretrainSpec


class Plan(StrictModel):
    """All trainings of a configuration, and the data sets on which their encoders are evaluated."""

    runs: dict[Name, PretrainSpec]
    """Resolved settings of each run."""
    tasks: tuple[Name, ...]
    """Data sets with labels that probes read."""
