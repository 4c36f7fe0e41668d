"""Where the project keeps things: in its checkout, or, once installed elsewhere, beside the library and here."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IS_CHECKOUT = _PACKAGE.parent.name == "src"

# An installed library brings MNIST and the shipped checkpoints along, and writes into the current folder.
ROOT = _PACKAGE.parents[1] if _IS_CHECKOUT else _PACKAGE / "home"
DATA = ROOT / "data"
MODELS = ROOT / "models"
MY_DIGITS = ROOT / "my_digits" if _IS_CHECKOUT else Path("my_digits")
REPORTS = ROOT / "reports" if _IS_CHECKOUT else Path("reports")
STUDIES = ROOT / "docs" / "studies"
