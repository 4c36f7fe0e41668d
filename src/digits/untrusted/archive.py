"""The zip archive of an untrusted `.keras` file: three members, one of them the weights as HDF5.

Sizes are checked before bytes are read, and no member is written to the path that the archive names.
"""

import io
import stat
import zipfile

from digits.untrusted.confinement import FILE_BYTES

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBER_BYTES = {CONFIG: 1_000_000, METADATA: 10_000, WEIGHTS: FILE_BYTES}
# Three members take 200 bytes; `zipfile` would make an object for each of the million that could fit.
DIRECTORY_BYTES = 2_000


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


def _open(content: bytes) -> zipfile.ZipFile:
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
