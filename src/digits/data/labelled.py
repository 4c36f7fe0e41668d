"""Load other labelled digits than MNIST: folders of images, files of most formats, and the original MNIST-C."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits import preprocess
from digits.data import containers, folders, names
from digits.data.containers import Raw
from digits.data.digits import Digits
from digits.data.folders import Picture
from digits.data.normalisation import normalise, normalise_images, normalise_labels
from digits.data.numpy_files import read_npy
from digits.errors import printable

# Where one set of digits is wanted and there are several, the first of these is read.
PREFERRED = ("test", "", "validation", "train")


@dataclass(frozen=True)
class Source:
    """What a folder or file contains, not yet converted.

    Attributes:
        path: the folder or file.
        parts: by part of a data set, `train`, `validation`, `test` or empty: arrays, or labelled pictures.
        passed_over: what isn't read, with the reason.
    """

    path: Path
    parts: dict[str, Raw | list[Picture]]
    passed_over: dict[str, str]


def load_labelled(source: Path | str) -> Digits:
    """Load labelled digits from a folder of images or from a file, whatever their usual form.

    Args:
        source: a folder of images in subfolders `0` to `9` (or `zero`, `digit_0` …) or named as `7_anna.png`, which are
            preprocessed; or a CSV, IDX, `.npz`, `.npy` or HDF5 file of 28×28 images and labels, or a folder of those
            with `train` or `test` in their names. Of several parts in a file, the test digits are read.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: it contains no digits, or something else than expected.
    """
    return read_labelled(Path(source))[0]


def read_labelled(source: Path) -> tuple[Digits, list[str]]:
    """`load_labelled`; also describe in lines of text how the digits were read, and what was passed over."""
    return read_with_paths(source)[:2]


def read_with_paths(source: Path) -> tuple[Digits, list[str], list[Path]]:
    """`read_labelled`; also return each digit's picture, or nothing if the digits aren't from a folder of pictures."""
    found = find_parts(source, one_part=True)
    part = next(part for part in PREFERRED if part in found.parts)
    digits, line = read_part(found, part)
    stored = found.parts[part]
    pictures = [] if isinstance(stored, Raw) else [picture.path for picture in stored]
    read = [path for path in pictures if path.relative_to(source).as_posix() not in found.passed_over]
    if left := [other for other in found.parts if other != part]:
        found.passed_over[", ".join(other or "without a part" for other in left)] = "other parts of the data set"
    return digits, [line, *(f"passed over: {each}" for each in folders.summary(found.passed_over))], read


def find_parts(source: Path, one_part: bool = False) -> Source:
    """Find the labelled digits in a folder or file.

    Args:
        one_part: refuse a folder with pictures of several parts.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: it contains no labelled digits.
    """
    if not source.is_dir() and not source.is_file():
        raise FileNotFoundError(f"no folder or file {source}")
    if source.is_file():
        raws, passed_over = containers.read(source), {}
    else:
        scan = folders.scan_labelled(source, one_part)
        if scan.pictures:
            parts = {part: [each for each in scan.pictures if each.part == part] for part in names.PART_NAMES}
            return Source(source, {part: pictures for part, pictures in parts.items() if pictures}, scan.passed_over)
        raws, passed_over = _read_files(source, scan.passed_over)
    unlabelled = {part: raw for part, raw in raws.items() if raw.labels is None}
    if len(unlabelled) == len(raws):
        raw = next(iter(raws.values()))
        raise ValueError(f"expected labels for {raw.images_name} as {raw.labels_name}, found none")
    passed_over |= {raw.images_name: "no labels" for raw in unlabelled.values()}
    return Source(source, {part: raw for part, raw in raws.items() if part not in unlabelled}, passed_over)


def read_part(found: Source, part: str) -> tuple[Digits, str]:
    """Convert a part of what was found; also say in a line how it was read.

    Pictures that can't be read are added to those passed over.

    Raises:
        ValueError: it is something else than expected, or no picture can be read.
    """
    stored = found.parts[part]
    digits, how = normalise(stored) if isinstance(stored, Raw) else _read_pictures(stored, found)
    return digits, f"{printable(str(found.path))}: {len(digits):,} {part + ' ' if part else ''}digits, {how}"


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
        if images.dtype != np.uint8:
            raise ValueError(f"expected uint8 (N, 28, 28, 1) in {path}, got {images.dtype} {images.shape}")
        # The polarity stays, because to change it may be the corruption.
        images, _ = normalise_images(images, str(path))
        labels, _ = normalise_labels(labels, len(images), str(path.with_name("test_labels.npy")))
        found[path.parent.name] = Digits(images, labels)
    if not found:
        raise FileNotFoundError(f"expected folders with test_images.npy and test_labels.npy in {folder}, found none")
    return found


def _read_files(folder: Path, passed_over: dict[str, str]) -> tuple[dict[str, Raw], dict[str, str]]:
    """The files of arrays in a folder whose names say which part of a data set they hold; or the only one."""
    files = [path for path in sorted(folder.glob("[!.]*")) if containers.holds_arrays(path)]
    of_parts = [path for path in files if names.part_of(path.name)]
    for path in of_parts or files:
        passed_over.pop(path.name, None)
    if len(files) == 1:
        return containers.read(files[0]), passed_over
    parts: dict[str, Raw] = {}
    for path in of_parts:
        for part, raw in containers.read(path).items():
            if part in parts:
                raise ValueError(f"several files in {folder} may be the {part} digits: name one, such as {path}")
            parts[part] = raw
    if not parts:
        which = f"; name one of its files, such as {files[0]}" if files else ""
        raise ValueError(folders.refusal(folder, passed_over) + which)
    return parts, passed_over


def _read_pictures(pictures: list[Picture], found: Source) -> tuple[Digits, str]:
    images, labels = [], []
    for picture in pictures:
        try:
            images.append(preprocess.prepare(preprocess.read_grey(picture.path)).image)
            labels.append(picture.digit)
        except (ValueError, OSError) as error:
            found.passed_over[picture.path.relative_to(found.path).as_posix()] = str(error)
    if not images:
        raise ValueError(folders.refusal(found.path, found.passed_over))
    missing = [str(digit) for digit in range(10) if digit not in labels]
    how = "images of digits" + (f", none of {', '.join(missing)}" if missing else "")
    return Digits(np.stack(images), np.array(labels, np.uint8)), how
