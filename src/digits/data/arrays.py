"""Read `.npy` and `.npz` files without pickle, with one-line errors for damaged ones."""

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np


def read_npy(path: Path) -> np.ndarray:
    """Read an array.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or not a `.npy` file.
    """
    try:
        return np.load(path, allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise ValueError(f"{path} is not a valid .npy file") from error


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the arrays with these names.

    Raises:
        ValueError: an array is missing, or the file can't be read, is damaged, or is not a `.npz` file.
    """
    try:
        # NumPy would leave a file that it opens itself open if it is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except KeyError as error:
        raise ValueError(f"expected the arrays {', '.join(names)} in {path}") from error
    except (BadZipFile, EOFError, OSError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is not a valid .npz file") from error
