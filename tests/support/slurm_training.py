"""A training run that is long enough to be stopped, and the same run without a stop."""

import os
import subprocess
import sys
from pathlib import Path

CONFIGURATION = {
    "name": "preempted",
    "datasets": {"shapes": {"kind": "shapes", "train": 64, "test": 16, "size": 16}},
    "seeds": [0],
    "runs": {
        "mast": {
            "method": "mast",
            "dataset": "shapes",
            "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 8, 8, 8]},
            "projector": {"hidden": 16, "output": 16},
            "optimizer": {"name": "adamw", "lr": 0.001, "warmup_epochs": 1},
            "epochs": 320,
            "batch_size": 64,
            "log_every": 1,
        }
    },
    "protocols": {"linear": {"kind": "linear-lbfgs"}},
    "studies": {"linear": {"title": "Linear", "protocol": "linear", "tasks": ["shapes"], "runs": ["mast"]}},
    "resources": {"prepare": {"mem_mb": 500, "runtime": 5}, "pretrain": {"mem_mb": 1000, "runtime": 20}},
}


def left_alone(directory: Path) -> Path:
    """The same run without SLURM and without a stop."""
    mast = Path(sys.executable).parent / "mast"
    output = directory / "alone"
    command = [mast, "pretrain", "--config", "config.yaml", "--run", "mast", "--seed", "0", "--output", output]
    subprocess.run([*command, "--gpus", "0"], cwd=directory, env=os.environ, check=True, timeout=600)
    return output
