"""Digits from disk: MNIST verified by hash, its fixed split, and anyone's folder or .npz of labelled digits."""

import hashlib
import struct
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from digits import paths, preprocess

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


@dataclass(frozen=True)
class Digits:
    """Labelled digits: images uint8 (N, 28, 28) with ink 255 on paper 0, labels uint8 (N,)."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, places: np.ndarray) -> "Digits":
        """The digits at these places, indices or a mask."""
        return Digits(self.images[places], self.labels[places])

    def first(self, count: int | None) -> "Digits":
        """The first `count` digits; all of them for None.

        Raises:
            ValueError: `count` is below 1.
        """
        if count is not None and count < 1:
            raise ValueError(f"expected at least 1 digit to train on, got {count}")
        return Digits(self.images[:count], self.labels[:count])


@dataclass(frozen=True)
class Splits:
    """MNIST in the project's fixed parts: 55,000 to learn from, 5,000 to choose by, 10,000 to look at once."""

    train: Digits
    validation: Digits
    test: Digits


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
    arrays = _read_npz(path, tuple(names))
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
    paths.output_folder(data_dir)
    with paths.replacing(data_dir / "mnist.npz") as temporary:
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
    places = _read_npy(SPLIT)
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
            stored = _read_npz(cache, ("key", *(f"{kind}_{part}" for part in parts for kind in "xy")))
        except ValueError:
            stored = {"key": "damaged"}
        if str(stored["key"]) == key:
            return Splits(*(Digits(stored[f"x_{part}"], stored[f"y_{part}"]) for part in parts)), True

    splits = load_splits(data_dir)
    arrays = {f"x_{part}": getattr(splits, part).images for part in parts}
    arrays |= {f"y_{part}": getattr(splits, part).labels for part in parts}
    with paths.replacing(cache) as temporary:
        np.savez(temporary, key=key, **arrays)
    return splits, False


def representative(digits: Digits, digit: int, count: int) -> np.ndarray:
    """Indices of `count` images of `digit` that stand for the class: from its most typical to its most unusual.

    Typical is near the class's mean image; the indices are evenly spaced by rank of that distance.
    """
    members = np.flatnonzero(digits.labels == digit)
    images = digits.images[members].reshape(len(members), -1).astype(np.float32)
    ranked = np.argsort(np.linalg.norm(images - images.mean(axis=0), axis=1), kind="stable")
    return members[ranked[np.linspace(0, len(members) - 1, count).round().astype(int)]]


def load_evaluated(images: Path | None, data_dir: Path) -> tuple[Digits, str]:
    """The digits to evaluate models on and their source in words: anyone's, or MNIST's test digits for None."""
    if images:
        return load_labelled(images), str(images)
    return load_test(data_dir), "MNIST's test digits"


def load_labelled(source: Path) -> Digits:
    """Read anyone's labelled digits: a folder with subfolders `0` to `9` of PNG or JPEG images, or an `.npz` file.

    Images of a folder go through `preprocess.prepare`; an `.npz` holds `x_test`, uint8 (N, 28, 28), ink 255 on paper 0,
    and `y_test`, integers 0 to 9.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it holds no digits, or something that can't be read.
    """
    if source.is_dir():
        return _load_folder(source)
    if not source.is_file():
        raise FileNotFoundError(f"no folder or .npz file {source}")
    if source.suffix != ".npz":
        raise ValueError(f"expected a folder or an .npz file, got {source}")
    arrays = _read_npz(source, ("x_test", "y_test"))
    images, labels = arrays["x_test"], arrays["y_test"]
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28) or len(images) == 0:
        raise ValueError(f"expected x_test as uint8 (N, 28, 28) in {source}, got {images.dtype} {images.shape}")
    if labels.shape != (len(images),) or not np.isin(labels, range(10)).all():
        raise ValueError(f"expected y_test as {len(images)} labels from 0 to 9 in {source}")
    return Digits(images, labels.astype(np.uint8))


def load_mnist_c(folder: Path) -> dict[str, Digits]:
    """Read the original MNIST-C (Mu and Gilmer 2019), by the names of its corruptions.

    Args:
        folder: has a folder for each corruption with `test_images.npy`, uint8 (N, 28, 28, 1) or (N, 28, 28), and
            `test_labels.npy`, (N,).

    Raises:
        FileNotFoundError: there is no such folder in it.
        ValueError: the arrays have another shape or dtype.
    """
    found = {}
    for path in sorted(folder.glob("*/test_images.npy")):
        images, labels = _read_npy(path), _read_npy(path.with_name("test_labels.npy"))
        if images.dtype != np.uint8 or images.shape[1:] not in ((28, 28), (28, 28, 1)) or not len(images):
            raise ValueError(f"expected uint8 (N, 28, 28, 1) in {path}, got {images.dtype} {images.shape}")
        if labels.shape != (len(images),) or not np.isin(labels, range(10)).all():
            raise ValueError(f"expected {len(images)} labels from 0 to 9 in {path.with_name('test_labels.npy')}")
        found[path.parent.name] = Digits(images.reshape(-1, 28, 28), labels.astype(np.uint8))
    if not found:
        raise FileNotFoundError(f"expected folders with test_images.npy and test_labels.npy in {folder}, found none")
    return found


def _load_folder(folder: Path) -> Digits:
    files = [
        (path, digit)
        for digit in range(10)
        # A name with a dot in front is a file that is just being written.
        for path in sorted((folder / str(digit)).glob("[!.]*"))
        if path.suffix.lower() in preprocess.SUFFIXES
    ]
    if not files:
        raise ValueError(f"expected subfolders 0 to 9 with PNG or JPEG images in {folder}, found none")
    images = np.stack([preprocess.prepare_file(path).image for path, _ in files])
    return Digits(images, np.array([digit for _, digit in files], np.uint8))


def _verify(arrays: dict[str, np.ndarray], what: str) -> None:
    for name, array in arrays.items():
        if idx_sha256(array) != OFFICIAL_SHA256[name]:
            raise ValueError(f"{name} has not the SHA-256 of the official MNIST file: {what}")


def _read_npy(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise ValueError(f"{path} is not a whole .npy file") from error


def _read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        # A file that NumPy opens by itself stays open when it turns out to be broken.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except KeyError as error:
        raise ValueError(f"expected the arrays {', '.join(names)} in {path}") from error
    except (BadZipFile, EOFError, OSError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole .npz file") from error
