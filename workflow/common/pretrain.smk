"""Options of a training run that do not change its result."""


def pace(wildcards):
    """Return the interval at which a run saves its state, which does not change the result."""
    minutes = experiment.pretrain_spec(wildcards.run).checkpoint_minutes
    return Unrecorded("" if minutes is None else f" --checkpoint-minutes {minutes:g}")
