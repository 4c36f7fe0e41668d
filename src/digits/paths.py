"""The project's folders: in the checkout, or, for an installed library, in the package and the current folder."""

import os
import tempfile
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


def cache_folder() -> Path:
    """The user's folder for files that can be computed again; it needn't exist yet.

    It is `digit-workbench` in `$XDG_CACHE_HOME`, or in `~/.cache` where that isn't set to an absolute path, or in the
    temporary folder for a user without a home.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():
        try:
            cache = Path.home() / ".cache"
        except RuntimeError:
            cache = Path(tempfile.gettempdir())
    return cache / "digit-workbench"
