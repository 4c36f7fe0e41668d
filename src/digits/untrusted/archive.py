"""The zip archive of an untrusted `.keras` file: three members, one of them the weights as HDF5.

Sizes are checked before bytes are read, and no member is written to the path that the archive names.
"""

import io
import stat
import zipfile
from pathlib import Path

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# 2.5 million weights and, as in the file of a compiled model, two moments of Adam for each.
FILE_BYTES = 30_000_000
MEMBER_BYTES = {CONFIG: 1_000_000, METADATA: 10_000, WEIGHTS: FILE_BYTES}
# Three members take 200 bytes; `zipfile` would make an object for each of the million that could fit.
DIRECTORY_BYTES = 2_000
# A layer has two groups and up to six arrays, for each of which the optimiser has two more.
HDF5_OBJECTS = 5_000
HDF5_DEPTH = 20


def unpack(content: bytes) -> dict[str, bytes]:
    """The members of a `.keras` file by name.

    Raises:
        ValueError: it isn't a complete `.keras` file, is too large, or has other members.
    """
    entries = {}
    archive = _open(content)
    for entry in archive.infolist():
        if entry.filename not in MEMBER_BYTES or entry.filename in entries:
            expected = ", ".join(MEMBER_BYTES)
            raise ValueError(f"expected {expected} in the file, each once; it also holds {entry.filename!r:.60}")
        entries[entry.filename] = entry
    if missing := set(MEMBER_BYTES) - set(entries):
        raise ValueError(f"the file has no {' and no '.join(sorted(missing))}: Keras 3 didn't save it")
    return {name: _read(archive, entry) for name, entry in entries.items()}


def pack(members: dict[str, bytes], path: Path) -> None:
    """Write members, as `unpack` returns them, to a `.keras` file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def check_weights(path: Path, expected: int) -> None:
    """Check the arrays in a `.keras` file that `pack` wrote, before Keras reads them.

    Args:
        expected: the number of the model's weights; the file may hold more, such as an optimiser's.

    Raises:
        ValueError: an array isn't complete, plain and finite, or the model needs more weights.
    """
    import h5py

    with zipfile.ZipFile(path) as archive:
        content = archive.read(WEIGHTS)
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            found = _count_weights(file, len(content))
    except ValueError:
        raise
    # A damaged HDF5 file can fail anywhere, with many kinds of exceptions.
    except Exception as error:
        raise ValueError("its weights are damaged: they can't be read as HDF5") from error
    if found < expected:
        raise ValueError(f"its layers need {expected:,} weights, but the file holds {found:,}")


def _open(content: bytes) -> zipfile.ZipFile:
    if not content:
        raise ValueError("the file is empty")
    if len(content) > FILE_BYTES:
        raise ValueError(f"the file has {len(content) / 1e6:.0f} MB; the limit is {FILE_BYTES / 1e6:.0f} MB")
    if content.startswith(b"\x89HDF"):
        raise ValueError("the file is in Keras's older format, HDF5: save the model again as `.keras`")
    if not content.startswith(b"PK\3\4"):
        raise ValueError("the file isn't a `.keras` file, which is a zip archive")
    # The end record of a zip, as Keras writes it: without a comment, and with no 64-bit record before it.
    end, directory_bytes = content[-22:], int.from_bytes(content[-10:-6], "little")
    if not (end.startswith(b"PK\5\6") and end.endswith(b"\0\0")) or content[-42:-38] == b"PK\6\7":
        raise ValueError("the file is incomplete, or isn't a `.keras` file as Keras writes it")
    if directory_bytes > DIRECTORY_BYTES:
        raise ValueError("the file holds too many members, or their names are too long")
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    # A damaged zip fails with many kinds of exceptions, here and where a member is read.
    except Exception as error:
        raise ValueError("the file is damaged: it can't be unzipped") from error


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    name, limit = entry.filename, MEMBER_BYTES[entry.filename]
    if entry.flag_bits & 1 or stat.S_ISLNK(entry.external_attr >> 16):
        raise ValueError(f"{name} in the file is encrypted or a link")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} in the file is compressed in a way that Keras doesn't use")
    if entry.file_size > limit:
        raise ValueError(f"{name} in the file is larger than {limit / 1e6:g} MB")
    try:
        with archive.open(entry) as member:
            # The declared size may be wrong in either direction.
            content = member.read(entry.file_size + 1)
    except Exception as error:
        raise ValueError(f"the file is damaged: {name} can't be unzipped") from error
    if len(content) != entry.file_size:
        raise ValueError(f"the file is damaged: {name} doesn't have its declared size")
    return content


def _count_weights(file, file_bytes: int) -> int:
    arrays = _arrays(file)
    if sum(array.nbytes for array in arrays) > file_bytes:
        raise ValueError("its weights claim more bytes than the file holds")
    for array in arrays:
        _check_array(array)
    # All but the optimiser's arrays belong to layers.
    return sum(array.size for array in arrays if not array.name.startswith("/optimizer/"))


def _arrays(file) -> list:
    """All arrays in an HDF5 file, which may link only to its own groups and arrays, once each."""
    import h5py

    arrays, seen, waiting = [], set(), [(file, 0)]
    while waiting:
        group, depth = waiting.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError("its weights contain a link")
            member = group[name]
            # Without stubs, type checkers don't see h5py's compiled modules.
            address = h5py.h5o.get_info(member.id).addr  # pyright: ignore[reportAttributeAccessIssue]
            if address in seen or len(seen) > HDF5_OBJECTS or depth > HDF5_DEPTH:
                raise ValueError("its weights are stored in too many groups, or in a cycle")
            seen.add(address)
            if isinstance(member, h5py.Group):
                waiting.append((member, depth + 1))
            elif isinstance(member, h5py.Dataset):
                arrays.append(member)
            else:
                raise ValueError("its weights hold something other than arrays")
    return arrays


def _check_array(array) -> None:
    import numpy as np

    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8 or array.shape is None:
        raise ValueError("its weights hold something other than plain numbers")
    # Keras writes an array in one piece; one that is filtered, chunked, external or never written can expand.
    if array.is_virtual or array.external or array.chunks or array.id.get_storage_size() != array.nbytes:
        raise ValueError("its weights are stored in a way that Keras doesn't use, or not at all")
    if array.dtype.kind == "f" and not np.isfinite(array[()]).all():
        raise ValueError("some of its weights aren't finite numbers")
