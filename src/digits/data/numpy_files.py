"""Read `.npy` and `.npz` files without pickle, of bounded size, with one-line errors for damaged ones."""

import math
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

# The arrays that are read from a file may have this many bytes: 70,000 images of 28×28 in double precision have 440
# million.
LARGEST_BYTES = 800_000_000

# By name, the dtypes and shapes of a file's arrays.
Contents = Mapping[str, tuple[np.dtype, tuple[int, ...]]]


def read_npy(path: Path) -> np.ndarray:
    """Read an array.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged or too large, or not a `.npy` file.
    """
    with path.open("rb") as file:
        with unreadable_as(f"{path} is not a valid .npy file"):
            dtype, shape = _header(file, path.stat().st_size)
        check_sizes({"its array": (dtype, shape)}, path)
        file.seek(0)
        with unreadable_as(f"{path} is not a valid .npy file"):
            return np.lib.format.read_array(file, allow_pickle=False)


def npz_contents(path: Path) -> Contents:
    """The dtype and shape of each array in an `.npz` file.

    Raises:
        ValueError: the file can't be read, is damaged, or is not a `.npz` file.
    """
    with unreadable_as(f"{path} is not a valid .npz file"), zipfile.ZipFile(path) as archive:
        return {name: _member_header(archive, name) for name in _names(archive)}


def read_npz(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read the arrays with these names.

    Raises:
        ValueError: an array is missing or too large, or the file can't be read, is damaged, or is not a `.npz` file.
    """
    names, invalid = tuple(names), f"{path} is not a valid .npz file"
    with unreadable_as(invalid):
        archive = zipfile.ZipFile(path)
    with archive:
        if not set(names) <= set(_names(archive)):
            raise ValueError(f"expected the arrays {', '.join(names)} in {path}")
        with unreadable_as(invalid):
            contents = {name: _member_header(archive, name) for name in names}
        check_sizes(contents, path)
        with unreadable_as(invalid):
            return {name: _read_member(archive, name) for name in names}


def check_sizes(contents: Contents, path: Path | str) -> None:
    """Check that the arrays of a file, given by dtype and shape, aren't too large to read.

    Raises:
        ValueError: they are.
    """
    sizes = {name: math.prod(shape) * dtype.itemsize for name, (dtype, shape) in contents.items()}
    if (size := sum(sizes.values())) > LARGEST_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        dtype, shape = contents[largest]
        raise ValueError(
            f"{path} would need {size / 1e9:.1f} GB, with {largest} as {dtype} {shape}; the limit is "
            f"{LARGEST_BYTES / 1e9:.1f} GB: save fewer images, or save them as uint8"
        )


@contextmanager
def unreadable_as(message: str) -> Iterator[None]:
    """Turn whatever the block raises into a ValueError with this message, except that a file is missing or locked."""
    try:
        with warnings.catch_warnings():
            # Python warns of odd text in the header of an array.
            warnings.simplefilter("ignore")
            yield
    except (FileNotFoundError, PermissionError):
        raise
    # A damaged file fails anywhere, with many kinds of exceptions.
    except Exception as error:
        raise ValueError(message) from error


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _member_header(archive: zipfile.ZipFile, name: str) -> tuple[np.dtype, tuple[int, ...]]:
    with archive.open(f"{name}.npy") as member:
        return _header(member, archive.getinfo(f"{name}.npy").file_size)


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _header(file: IO[bytes], size: int) -> tuple[np.dtype, tuple[int, ...]]:
    """The dtype and shape of an array that is stored in `size` bytes, header included.

    Raises:
        ValueError: they don't fit the size, or the array holds Python objects.
    """
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, _, dtype = read(file)
    if dtype.hasobject or file.tell() + math.prod(shape) * dtype.itemsize != size:
        raise ValueError(f"{dtype} {shape} doesn't fit {size} bytes")
    return dtype, shape
