"""Use one thread and the program's memory settings, as in `python -m benchmarks`."""

from mast.runtime import set_up_process

set_up_process(1)

import torch  # noqa: E402

torch.set_num_threads(1)
