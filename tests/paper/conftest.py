"""The layouts of public data, which the tests of the data sources write, and projects to run the workflow in."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("sources", "workflow")]
