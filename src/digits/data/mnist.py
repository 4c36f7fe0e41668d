"""MNIST: load it, verify it by hash, and split it."""

import hashlib
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from digits import files, paths
from digits.data.digits import OFFICIAL_SHA256, Digits, Splits
from digits.data.numpy_files import read_npy, read_npz

SPLIT = paths.DATA / "split.npy"
VALIDATION_SIZE = 5_000
SPLIT_SEED = 20_260_101
ATTEMPTS, RETRY_SECONDS = 3, 2
# Increase it when the content of the cache changes.
CACHE_VERSION = 1


def idx_sha256(array: np.ndarray) -> str:
    """SHA-256 of the IDX file, MNIST's original format, that contains `array`, uint8 of any shape."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 0x08, array.ndim, *array.shape)
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()


def load_mnist(data_dir: Path = paths.DATA, names: Iterable[str] = OFFICIAL_SHA256) -> dict[str, np.ndarray]:
    """Load the arrays of `mnist.npz` with these names, and verify them against the hashes of the official files.

    Returns:
        `x_train`, uint8 (60000, 28, 28), `y_train`, uint8 (60000,), and `x_test` and `y_test` with 10,000 digits.

    Raises:
        FileNotFoundError: there is no `mnist.npz` in `data_dir`.
        ValueError: the file is damaged or isn't MNIST.
    """
    path = data_dir / "mnist.npz"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; `git checkout data/mnist.npz` restores it")
    arrays = read_npz(path, tuple(names))
    _verify(arrays, f"{path}; `git checkout data/mnist.npz` restores it")
    return arrays


def download_mnist(data_dir: Path) -> Path:
    """Download MNIST through `keras.datasets` (with its progress bar), verify it, and save it as `data_dir/mnist.npz`.

    Raises:
        ValueError: the download isn't MNIST.
        ConnectionError: three attempts failed.
    """
    import keras

    for attempt in range(1, ATTEMPTS + 1):
        try:
            (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
            break
        # Keras raises a plain Exception if a connection fails, and a ValueError if the hash differs.
        except Exception as error:
            if attempt == ATTEMPTS:
                raise ConnectionError(
                    f"can't download MNIST after {ATTEMPTS} attempts ({error}); use `--source embedded`"
                ) from error
            time.sleep(RETRY_SECONDS * attempt)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    _verify(arrays, "the download; use `--source embedded`")
    files.output_folder(data_dir)
    with files.replacing(data_dir / "mnist.npz") as temporary:
        np.savez_compressed(temporary, **arrays)
    return data_dir / "mnist.npz"


def split_indices() -> tuple[np.ndarray, np.ndarray]:
    """Indices into MNIST's 60,000 training digits: 55,000 to train on, and 5,000, stratified, for validation.

    They come from a file made by scikit-learn's `train_test_split` with `SPLIT_SEED`, so that they don't depend on its
    version, and importing it isn't needed.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the file is damaged.
    """
    if not SPLIT.is_file():
        raise FileNotFoundError(f"no {SPLIT}; `git checkout data/split.npy` restores it")
    indices = read_npy(SPLIT)
    if not np.array_equal(np.sort(indices), np.arange(60_000)):
        raise ValueError(f"{SPLIT} isn't the split; `git checkout data/split.npy` restores it")
    return indices[:-VALIDATION_SIZE], indices[-VALIDATION_SIZE:]


def split_mnist(arrays: dict[str, np.ndarray]) -> Splits:
    """Split MNIST's 60,000 training digits by `split_indices`."""
    train, validation = split_indices()
    return Splits(
        train=Digits(arrays["x_train"][train], arrays["y_train"][train]),
        validation=Digits(arrays["x_train"][validation], arrays["y_train"][validation]),
        test=Digits(arrays["x_test"], arrays["y_test"]),
    )


def cached_splits(data_dir: Path = paths.DATA) -> tuple[Splits, Path, bool]:
    """MNIST, verified and split.

    The cache is an uncompressed `.npz` file in the user's cache folder, named by the SHA-256 of the files that it was
    made from, so that it is never used for others. A damaged cache is rebuilt, a stale one deleted; where none can be
    written, none is used.

    Returns:
        The splits, the path of their cache, and whether they came from it.

    Raises:
        FileNotFoundError: `mnist.npz` or the file of the split is missing.
        ValueError: one of them is damaged or isn't the expected file.
    """
    sources = [files.sha256(path) if path.is_file() else "" for path in (data_dir / "mnist.npz", SPLIT)]
    key = hashlib.sha256(repr((CACHE_VERSION, VALIDATION_SIZE, sources)).encode()).hexdigest()
    cache = paths.cache_folder() / f"splits-{key}.npz"
    parts = ("train", "validation", "test")
    try:
        stored = read_npz(cache, tuple(f"{kind}_{part}" for part in parts for kind in "xy"))
        train, validation, test = (Digits(stored[f"x_{part}"], stored[f"y_{part}"]) for part in parts)
        return Splits(train, validation, test), cache, True
    except (ValueError, OSError):
        splits = split_mnist(load_mnist(data_dir))
    arrays = {f"x_{part}": getattr(splits, part).images for part in parts}
    arrays |= {f"y_{part}": getattr(splits, part).labels for part in parts}
    with suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(cache) as temporary:
            np.savez(temporary, **arrays)
        for stale in set(cache.parent.glob("splits-*.npz")) - {cache}:
            stale.unlink(missing_ok=True)
    return splits, cache, False


def _verify(arrays: dict[str, np.ndarray], what: str) -> None:
    for name, array in arrays.items():
        if idx_sha256(array) != OFFICIAL_SHA256[name]:
            raise ValueError(f"{name} doesn't have the SHA-256 of the official MNIST file: {what}")
