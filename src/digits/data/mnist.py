"""Digits from disk: MNIST verified by hash, its fixed split, and anyone's folder or .npz of labelled digits."""

import hashlib
import struct
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from digits import files, paths
from digits.data.arrays import read_npy, read_npz
from digits.data.digits import Digits, Splits

# SHA-256 of the four uncompressed IDX files that LeCun, Cortes and Burges published.
OFFICIAL_SHA256 = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
SPLIT = paths.DATA / "split.npy"
VALIDATION_SIZE = 5_000
SPLIT_SEED = 20_260_101
RETRY_SECONDS = 2


def idx_sha256(array: np.ndarray) -> str:
    """SHA-256 that `array` (uint8) has as an IDX file, MNIST's original format, whatever container it came in."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 0x08, array.ndim, *array.shape)
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()


def load_mnist(data_dir: Path = paths.DATA, names: Iterable[str] = OFFICIAL_SHA256) -> dict[str, np.ndarray]:
    """Read `mnist.npz`, or only some of its arrays, and verify it against the hashes of the official files.

    Returns:
        `x_train` uint8 (60000, 28, 28), `y_train` uint8 (60000,), `x_test` and `y_test` likewise with 10,000.

    Raises:
        FileNotFoundError: there is no `mnist.npz` in `data_dir`.
        ValueError: the file is damaged or isn't MNIST.
    """
    path = data_dir / "mnist.npz"
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; `git checkout data/mnist.npz` brings it back")
    arrays = read_npz(path, tuple(names))
    _verify(arrays, f"{path}; `git checkout data/mnist.npz` brings the right one back")
    return arrays


def download_mnist(data_dir: Path, tries: int = 3) -> Path:
    """Fetch MNIST through `keras.datasets` (with its progress bar), verify it, and keep it as `data_dir/mnist.npz`.

    Raises:
        ValueError: what came isn't MNIST.
        ConnectionError: nothing came after `tries` attempts.
    """
    import keras

    for attempt in range(1, tries + 1):
        try:
            (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
            break
        # Keras wraps every failure to connect in a bare Exception, and a hash that differs in a ValueError.
        except Exception as error:
            if attempt == tries:
                raise ConnectionError(
                    f"can't download MNIST after {tries} tries ({error}); use `--source embedded`"
                ) from error
            time.sleep(RETRY_SECONDS * attempt)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    _verify(arrays, "the download; use `--source embedded`")
    files.output_folder(data_dir)
    with files.replacing(data_dir / "mnist.npz") as temporary:
        np.savez_compressed(temporary, **arrays)
    return data_dir / "mnist.npz"


def split_places() -> tuple[np.ndarray, np.ndarray]:
    """Places among MNIST's 60,000 training digits of the 55,000 to learn from and of a stratified 5,000.

    They are read from a file that scikit-learn's `train_test_split` made with `SPLIT_SEED`, so that no release of it
    can move a digit, and nobody waits for its start-up.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: the file is damaged.
    """
    if not SPLIT.is_file():
        raise FileNotFoundError(f"no {SPLIT}; `git checkout data/split.npy` brings it back")
    places = read_npy(SPLIT)
    if not np.array_equal(np.sort(places), np.arange(60_000)):
        raise ValueError(f"{SPLIT} isn't the split; `git checkout data/split.npy` brings it back")
    return places[:-VALIDATION_SIZE], places[-VALIDATION_SIZE:]


def split_mnist(arrays: dict[str, np.ndarray]) -> Splits:
    """Split MNIST's 60,000 training digits by `split_places`."""
    train, validation = split_places()
    return Splits(
        train=Digits(arrays["x_train"][train], arrays["y_train"][train]),
        validation=Digits(arrays["x_train"][validation], arrays["y_train"][validation]),
        test=Digits(arrays["x_test"], arrays["y_test"]),
    )


def load_splits(data_dir: Path = paths.DATA) -> Splits:
    """Verified MNIST, split: `load_mnist`, then `split_mnist`."""
    return split_mnist(load_mnist(data_dir))


def load_test(data_dir: Path = paths.DATA) -> Digits:
    """The 10,000 test digits alone."""
    arrays = load_mnist(data_dir, ("x_test", "y_test"))
    return Digits(arrays["x_test"], arrays["y_test"])


def cached_splits(data_dir: Path, cache: Path) -> tuple[Splits, bool]:
    """Take the splits from the `.npz` file `cache` if today's data and seed made it; else make them and write it.

    Returns:
        The splits, and whether they came from the cache.
    """
    key = repr((sorted(OFFICIAL_SHA256.items()), SPLIT_SEED, VALIDATION_SIZE))
    parts = ("train", "validation", "test")
    if cache.is_file():
        try:
            stored = read_npz(cache, ("key", *(f"{kind}_{part}" for part in parts for kind in "xy")))
        except ValueError:
            stored = {"key": "damaged"}
        if str(stored["key"]) == key:
            return Splits(*(Digits(stored[f"x_{part}"], stored[f"y_{part}"]) for part in parts)), True

    splits = load_splits(data_dir)
    arrays = {f"x_{part}": getattr(splits, part).images for part in parts}
    arrays |= {f"y_{part}": getattr(splits, part).labels for part in parts}
    with files.replacing(cache) as temporary:
        np.savez(temporary, key=key, **arrays)
    return splits, False


def _verify(arrays: dict[str, np.ndarray], what: str) -> None:
    for name, array in arrays.items():
        if idx_sha256(array) != OFFICIAL_SHA256[name]:
            raise ValueError(f"{name} has not the SHA-256 of the official MNIST file: {what}")
