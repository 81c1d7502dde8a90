"""`python -m benchmarks.gpu`: set the process up before torch is imported, and run the selected parts."""

import os
import sys

from mast.runtime import set_up_process

CORES = len(os.sched_getaffinity(0))

if __name__ == "__main__":  # and not where a new process of a part reads this file
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic products of matrices need
    from benchmarks.gpu.options import parse

    options = parse(sys.argv[1:])  # `--help` needs no torch
    set_up_process(1 if options.tiny else CORES)

    from benchmarks.gpu.runner import main

    sys.exit(main(options, 1 if options.tiny else CORES))
