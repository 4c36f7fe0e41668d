"""Load other labelled digits than MNIST: folders of images, `.npz` files, and the original MNIST-C."""

from pathlib import Path

import numpy as np

from digits import preprocess
from digits.data.arrays import read_npy, read_npz
from digits.data.digits import Digits
from digits.data.folders import scan_classes
from digits.data.mnist import load_test


def load_labelled_or_test(source: Path | None, data_dir: Path) -> tuple[Digits, str]:
    """`load_labelled`, or MNIST's test digits from `data_dir` if `source` is None; also describe them in words."""
    if source:
        return load_labelled(source), str(source)
    return load_test(data_dir), "MNIST's test digits"


def load_labelled(source: Path) -> Digits:
    """Load labelled digits from a folder with subfolders `0` to `9` of images, or from an `.npz` file.

    The images of a folder are preprocessed. An `.npz` file contains `x_test`, uint8 (N, 28, 28), ink 255 on paper 0,
    and `y_test`, integers (N,) from 0 to 9.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: it contains no digits, or something else than expected.
    """
    if source.is_dir():
        return _load_folder(source)
    if not source.is_file():
        raise FileNotFoundError(f"no folder or .npz file {source}")
    if source.suffix != ".npz":
        raise ValueError(f"expected a folder or an .npz file, got {source}")
    arrays = read_npz(source, ("x_test", "y_test"))
    images, labels = arrays["x_test"], arrays["y_test"]
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28) or len(images) == 0:
        raise ValueError(f"expected x_test as uint8 (N, 28, 28) in {source}, got {images.dtype} {images.shape}")
    if labels.shape != (len(images),) or not np.isin(labels, range(10)).all():
        raise ValueError(f"expected y_test as {len(images)} labels from 0 to 9 in {source}")
    return Digits(images, labels.astype(np.uint8))


def load_mnist_c(folder: Path) -> dict[str, Digits]:
    """Load the original MNIST-C (Mu and Gilmer 2019), by the name of the corruption.

    Args:
        folder: contains a folder for each corruption with `test_images.npy`, uint8 (N, 28, 28, 1) or (N, 28, 28), and
            `test_labels.npy`, integers (N,) from 0 to 9.

    Raises:
        FileNotFoundError: it contains no such folders.
        ValueError: the arrays have another shape or dtype.
    """
    found = {}
    for path in sorted(folder.glob("*/test_images.npy")):
        images, labels = read_npy(path), read_npy(path.with_name("test_labels.npy"))
        if images.dtype != np.uint8 or images.shape[1:] not in ((28, 28), (28, 28, 1)) or not len(images):
            raise ValueError(f"expected uint8 (N, 28, 28, 1) in {path}, got {images.dtype} {images.shape}")
        if labels.shape != (len(images),) or not np.isin(labels, range(10)).all():
            raise ValueError(f"expected {len(images)} labels from 0 to 9 in {path.with_name('test_labels.npy')}")
        found[path.parent.name] = Digits(images.reshape(-1, 28, 28), labels.astype(np.uint8))
    if not found:
        raise FileNotFoundError(f"expected folders with test_images.npy and test_labels.npy in {folder}, found none")
    return found


def _load_folder(folder: Path) -> Digits:
    files = [(path, digit) for digit, found in enumerate(scan_classes(folder)) for path in found.images]
    if not files:
        raise ValueError(f"expected subfolders 0 to 9 with PNG, JPEG, BMP or WEBP images in {folder}, found none")
    images = np.stack([preprocess.prepare_file(path).image for path, _ in files])
    return Digits(images, np.array([digit for _, digit in files], np.uint8))
