"""NumPy's files, read without pickle and refused in a sentence when they are damaged."""

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np


def read_npy(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise ValueError(f"{path} is not a valid .npy file") from error


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        # A file that NumPy opens by itself stays open when it turns out to be broken.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except KeyError as error:
        raise ValueError(f"expected the arrays {', '.join(names)} in {path}") from error
    except (BadZipFile, EOFError, OSError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is not a valid .npz file") from error
