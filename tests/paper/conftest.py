"""The layouts of public data, which the tests of the data sources write."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "sources"))
