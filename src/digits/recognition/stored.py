"""What takes seconds to compute with a model, kept in the user's cache folder by the hash of its checkpoint."""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from digits import files, paths
from digits.checkpoints.recognizer import ROUNDING, Recognizer, blocks_of

# Training makes new checkpoints again and again; of each kind the files of older ones are deleted, up to 48 MB each.
KEPT_FILES = 20

# Raised when what `probabilities` stores changes.
VERSION = 1


def probabilities(recogniser: Recognizer, images: np.ndarray, done: Callable[[float], object]) -> np.ndarray:
    """A model's own probabilities of many images, uint8 (N, 28, 28), not calibrated, float32 (N, 10).

    Args:
        done: called with the share that is recognised, 0 to 1, before each block of images, if they have to be.
    """

    def compute() -> np.ndarray:
        found: list[np.ndarray] = []
        for block in blocks_of(images):
            done(sum(map(len, found)) / len(images))
            found.append(recogniser.predict_proba(block))
        return np.concatenate(found)

    def is_whole(found: np.ndarray) -> bool:
        return found.shape == (len(images), 10) and bool((np.abs(found.sum(axis=1) - 1) < ROUNDING).all())

    shown = hashlib.sha256(images.tobytes()).hexdigest()[:16]
    return rows(recogniser, f"{shown}-{VERSION}.probabilities", is_whole, compute)


def rows(
    recogniser: Recognizer, kind: str, is_whole: Callable[[np.ndarray], bool], compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """Rows of numbers, float32 (N, d), from the file of this `kind` in the cache folder; or computed, and kept there.

    Args:
        is_whole: whether what a file holds can be what was written.
    """
    path = paths.cache_folder() / f"{recogniser.sha256}-{kind}.npy"
    # A model that came as bytes, as a visitor's does, leaves no files.
    found = _read(path) if recogniser.sha256 else None
    if found is None or not is_whole(found):
        found = compute()
        # Where nothing can be written it is computed again next time.
        with contextlib.suppress(OSError):
            if recogniser.sha256:
                _write(path, found)
    return found


def _read(path: Path) -> np.ndarray | None:
    """The rows in a file; None if there is none, or it is damaged."""
    try:
        # Mapped into memory: 48 MB of one network's features would take longer to read than to look through.
        found = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, EOFError, ValueError):
        return None
    return found if found.dtype == np.float32 and found.ndim == 2 else None


def _write(path: Path, found: np.ndarray) -> None:
    """Write rows to a file in the cache, and delete the files of this kind beyond the newest few."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        np.save(temporary, found)
    suffixes = "".join(path.suffixes[-2:])
    others = sorted(path.parent.glob(f"[!.]*{suffixes}"), key=lambda file: file.stat().st_mtime)
    for file in others[:-KEPT_FILES]:
        file.unlink(missing_ok=True)
