"""Origins (encoder and task) for features in tests."""

from mast.records import Origin

ORIGIN = Origin(
    run="mast",
    dataset="shapes",
    seed=0,
    encoder="{}",
    mean=[0.5, 0.5, 0.5],
    std=[0.25, 0.25, 0.25],
    spec_sha256="1" * 64,
    data_sha256="2" * 64,
    encoder_sha256="3" * 64,
    task="shapes",
    task_sha256="4" * 64,
    commits=["1"],
)
