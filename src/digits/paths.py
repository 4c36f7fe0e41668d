"""The project's folders: in the checkout, or, for an installed library, in the package and the current folder."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IS_CHECKOUT = _PACKAGE.parent.name == "src"

# An installed library contains MNIST and the shipped checkpoints, and writes to the current folder.
ROOT = _PACKAGE.parents[1] if _IS_CHECKOUT else _PACKAGE / "home"
DATA = ROOT / "data"
MODELS = ROOT / "models"
MY_DIGITS = ROOT / "my_digits" if _IS_CHECKOUT else Path("my_digits")
REPORTS = ROOT / "reports" if _IS_CHECKOUT else Path("reports")
STUDIES = ROOT / "docs" / "studies"
