"""`python -m mast.cli`: the same as `mast`."""

import sys

from mast.cli.program import main

sys.exit(main())
