"""What a training is told that changes no result of it."""


def pace(wildcards):
    """How often a training saves its state, which changes no result."""
    minutes = experiment.pretrain_spec(wildcards.run).checkpoint_minutes
    return Unrecorded("" if minutes is None else f" --checkpoint-minutes {minutes:g}")
