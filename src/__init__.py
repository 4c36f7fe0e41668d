"""The workbench's scripts. Importing this package lets `python -m src.NAME` find the library `digits` beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
