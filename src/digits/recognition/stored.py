"""What takes seconds to compute with a model, kept in the user's cache folder by the hash of its checkpoint."""

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from digits import files, paths
from digits.checkpoints.recognizer import Recognizer, blocks_of
from digits.data.numpy_files import read_npz

# Each training makes a new checkpoint, with stored files of some MB. Of each kind only the newest are kept.
KEPT_FILES = 20

# Raised when what `probabilities` stores changes.
VERSION = 2


def probabilities(recogniser: Recognizer, images: np.ndarray, done: Callable[[float], object]) -> np.ndarray:
    """A model's own probabilities of many images, uint8 (N, 28, 28), not calibrated, float32 (N, 10).

    Args:
        done: called with the share that is recognised, 0 to 1, before each block of images, if they have to be.
    """

    def compute() -> dict[str, np.ndarray]:
        found: list[np.ndarray] = []
        for block in blocks_of(images):
            done(sum(map(len, found)) / len(images))
            found.append(recogniser.predict_proba(block))
        return {"probabilities": np.concatenate(found)}

    shown = hashlib.sha256(images.tobytes()).hexdigest()[:16]
    return arrays(recogniser, f"{shown}-{VERSION}.probabilities", ("probabilities",), compute)["probabilities"]


def arrays(
    recogniser: Recognizer, kind: str, names: Sequence[str], compute: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Arrays with these names from the file of this `kind` in the cache folder; or computed, and kept there."""
    path = paths.cache_folder() / f"{recogniser.sha256}-{kind}.npz"
    # A model that came as bytes, as a visitor's does, leaves no files.
    found = _read(path, names) if recogniser.sha256 else None
    if found is None:
        found = compute()
        # Where nothing can be written it is computed again next time.
        with contextlib.suppress(OSError):
            if recogniser.sha256:
                _write(path, found)
    return found


def _read(path: Path, names: Sequence[str]) -> dict[str, np.ndarray] | None:
    """The arrays in a file; None if there is none, or it is damaged, which its checksums tell."""
    try:
        return read_npz(path, names)
    except (OSError, ValueError):
        return None


def _write(path: Path, found: dict[str, np.ndarray]) -> None:
    """Write arrays to a file in the cache, and delete the files of this kind beyond the newest few."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **found)
    suffixes = "".join(path.suffixes[-2:])
    others = sorted(path.parent.glob(f"[!.]*{suffixes}"), key=lambda file: file.stat().st_mtime)
    for file in others[:-KEPT_FILES]:
        file.unlink(missing_ok=True)
