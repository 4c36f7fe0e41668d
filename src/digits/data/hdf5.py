"""Copy the digits in an HDF5 file to `digits.npz` in the current folder: python -m digits.data.hdf5 FILE LIMITS.

It runs in a confined process: in a damaged file, the HDF5 library can loop for ever, or take all memory.
"""

import sys
from pathlib import Path

import numpy as np

from digits import errors
from digits.data.containers import find_arrays
from digits.data.numpy_files import check_sizes, unreadable_as
from digits.untrusted import confinement

# What the errors call the file; who started this process knows its name.
FILE = "the file"
INVALID = "it is not a valid HDF5 file"


def copy(source: Path, target: Path) -> None:
    """Copy the arrays of images and labels in an HDF5 file, or in its groups, to an `.npz` file.

    Raises:
        ValueError: the file is damaged or too large, or has no images.
    """
    import h5py

    with unreadable_as(INVALID):
        file = h5py.File(source, "r")
    with file:
        with unreadable_as(INVALID):
            groups = {"": file} | {f"{name}/": group for name, group in _members(file, h5py.Group).items()}
            stored = {
                prefix + name: array
                for prefix, group in groups.items()
                for name, array in _members(group, h5py.Dataset).items()
                if array.shape is not None and not array.is_virtual and not array.external
            }
            contents = {name: (array.dtype, array.shape) for name, array in stored.items()}
        wanted = [name for pair in find_arrays(contents, FILE).values() for name in pair if name]
        check_sizes({name: contents[name] for name in wanted}, FILE)
        with unreadable_as(INVALID):
            np.savez(target, allow_pickle=False, **{name: _read(stored[name]) for name in wanted})


def _members(group, kind: type) -> dict:
    """The groups or arrays right in a group, without links to elsewhere."""
    import h5py

    return {
        name: group[name]
        for name in group
        if isinstance(group.get(name, getlink=True), h5py.HardLink) and isinstance(group[name], kind)
    }


def _read(array) -> np.ndarray:
    import h5py

    return np.array(array.asstr()[()], str) if h5py.check_string_dtype(array.dtype) else array[()]


if __name__ == "__main__":
    with errors.one_line_errors():
        file, *limits = sys.argv[1:]
        confinement.confine(*map(int, limits))
        copy(Path(file), Path("digits.npz"))
