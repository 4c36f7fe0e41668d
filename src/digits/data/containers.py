"""Read images and labels from the files that hold data sets, as they are stored: CSV, IDX, `.npy`, `.npz` and HDF5."""

import csv
import gzip
import itertools
import math
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from digits.data import folders, names
from digits.data.numpy_files import (
    LARGEST_BYTES,
    Contents,
    check_sizes,
    npz_contents,
    read_npy,
    read_npz,
    unreadable_as,
)
from digits.untrusted import confinement

PIXELS = 28 * 28
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
# Columns of a CSV that number its rows.
NUMBERING = {"", "id", "index", "imageid", "unnamed: 0"}
# Rows that are parsed at once, and the longest one in bytes.
CSV_BLOCK, LONGEST_ROW = 2000, 100_000
# What no two images and labels files differ in.
_FORMAT_TOKENS = {"idx1", "idx3", "ubyte", "idx", "gz", "npy"}


@dataclass(frozen=True)
class Raw:
    """Images and labels as they are stored.

    Attributes:
        kind: of the file, for people.
        images: of any dtype and shape; the first axis counts them.
        images_name: where they are, for people: such as `x_test in digits.npz`.
        labels: of any dtype and shape; None if there are none.
        labels_name: where they are; if there are none, where they were expected.
    """

    kind: str
    images: np.ndarray
    images_name: str
    labels: np.ndarray | None
    labels_name: str


def read(path: Path) -> dict[str, Raw]:
    """Read a file that holds images, and the file beside it that holds their labels where the format has two.

    Returns:
        By part of the data set, `train`, `validation` or `test`, if the arrays' or the file's names say one, or empty.

    Raises:
        ValueError: the file is damaged, too large, of another kind, or holds no images.
    """
    found = _READERS[kind_of(path)](path)
    # Where an array is named after that part, too, it is the one.
    return {part or names.part_of(path.name): found[part] for part in sorted(found)}


def kind_of(path: Path) -> str:
    """The kind of a file, by its first bytes: `npz`, `npy`, `HDF5`, `IDX` or `CSV`.

    Raises:
        ValueError: it is of another kind.
    """
    with unreadable_as(f"can't read {path}"), _opened(path) as file:
        head = file.read(8)
    if head.startswith(b"PK\3\4") and path.suffix.lower() != ".zip":
        return "npz"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"\x89HDF"):
        return "HDF5"
    if head[:2] == b"\0\0" and len(head) == 8 and head[2] in IDX_TYPES and head[3] in (1, 2, 3, 4):
        return "IDX"
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    if suffix.lower() in (".csv", ".tsv", ".txt") and b"\0" not in head:
        return "CSV"
    if suffix.lower() in (".npz", ".npy", ".h5", ".hdf5"):
        raise ValueError(f"{path} is not a valid {suffix.lower()} file")
    raise ValueError(
        f"expected labelled digits as a folder of {folders.LAYOUT}, or as a CSV, IDX (MNIST's format), .npz, .npy or "
        f"HDF5 file, got {path}; unzip archives, and save digits in other formats with "
        "numpy.savez('digits.npz', x_test=images, y_test=labels)"
    )


def holds_arrays(path: Path) -> bool:
    """Whether a path is that of a file that `read` reads; one of a pair has to be named as that of the images."""
    try:
        kind = kind_of(path)
    except (ValueError, OSError):
        return False
    return kind not in ("IDX", "npy") or _described(path)[0] == "images"


def _opened(path: Path) -> gzip.GzipFile | IO[bytes]:
    with path.open("rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if is_compressed else path.open("rb")


def _read_npz(stored: Path, kind: str = ".npz", path: Path | None = None) -> dict[str, Raw]:
    """What is in an `.npz` file, which may be a copy of another kind of file at `path`."""
    path = path or stored
    found = find_arrays(npz_contents(stored), path)
    arrays = read_npz(stored, [name for pair in found.values() for name in pair if name])
    return {
        part: Raw(
            kind, arrays[images], f"{images} in {path}", arrays.get(labels), f"{labels or 'y or labels'} in {path}"
        )
        for part, (images, labels) in found.items()
    }


def _read_hdf5(path: Path) -> dict[str, Raw]:
    with tempfile.TemporaryDirectory(prefix="digits-") as folder:
        try:
            confinement.run("digits.data.hdf5", path.absolute(), Path(folder), "data set")
        except ValueError as error:
            raise ValueError(f"{path} can't be read: {error}") from error
        return _read_npz(Path(folder, "digits.npz"), "HDF5", path)


def find_arrays(contents: Contents, path: Path | str) -> dict[str, tuple[str, str]]:
    """By part of the data set, the names of the arrays of images and of labels, the latter empty if there is none.

    Raises:
        ValueError: no array is named as images, or several are.
    """
    found = defaultdict(lambda: {"images": [], "labels": []})
    for name in contents:
        kinds = [names.KINDS[token] for token in names.tokens(name) if token in names.KINDS]
        others = [token for token in names.tokens(name) if token not in names.KINDS and token not in names.PARTS]
        if len(kinds) == 1 and not others:
            found[names.part_of(name)][kinds[0]].append(name)
    there = ", ".join(f"{name} ({dtype} {shape})" for name, (dtype, shape) in itertools.islice(contents.items(), 12))
    advice = f"it holds {there or 'no arrays'}; save them as x_test and y_test"
    for kinds in found.values():
        for kind, candidates in kinds.items():
            if len(candidates) > 1:
                raise ValueError(f"{' and '.join(candidates)} in {path} may each be the {kind}: {advice}")
    pairs = {part: (kinds["images"][0], "".join(kinds["labels"])) for part, kinds in found.items() if kinds["images"]}
    if not pairs:
        raise ValueError(f"expected arrays such as x_test and y_test, or images and labels, in {path}; {advice}")
    return pairs


def _read_pair(kind: str, read_array: Callable[[Path], np.ndarray]) -> Callable[[Path], dict[str, Raw]]:
    """A reader of a format that keeps images and labels in two files, either of which may be named."""

    def read_both(path: Path) -> dict[str, Raw]:
        files = _both_files(path)
        images = files.get("images", files.get(""))
        if images is None:
            raise ValueError(f"{path} holds labels, and there is no file of images beside it: name that one")
        labels = read_array(files["labels"]) if "labels" in files else None
        expected = files.get("labels", f"a file beside {path.name} that is named labels instead of images")
        return {"": Raw(kind, read_array(images), str(images), labels, str(expected))}

    return read_both


def _both_files(path: Path) -> dict[str, Path]:
    """The files of images and of labels, one of which is `path`: their names differ only in that."""
    kind, rest = _described(path)
    found = {kind: path}
    for file in sorted(path.parent.iterdir(), key=lambda file: (file.suffix != path.suffix, file.name)):
        other, same = _described(file)
        if same == rest and other not in found and file.is_file() and not file.name.startswith("."):
            found[other] = file
    return found


def _described(path: Path) -> tuple[str, tuple[str, ...]]:
    """Whether a file's name says `images` or `labels`, or neither, and its other words."""
    words = [token for token in names.tokens(path.name) if token not in _FORMAT_TOKENS]
    kinds = [names.KINDS[word] for word in words if word in names.KINDS]
    return (kinds or [""])[0], tuple(word for word in words if word not in names.KINDS)


def _read_idx(path: Path) -> np.ndarray:
    with unreadable_as(f"{path} is not a valid IDX file"), _opened(path) as file:
        head = file.read(4)
        dtype = np.dtype(IDX_TYPES[head[2]])
        shape = tuple(int(length) for length in np.frombuffer(file.read(4 * head[3]), ">u4"))
    check_sizes({"its array": (dtype, shape)}, path)
    size = math.prod(shape) * dtype.itemsize
    with unreadable_as(f"{path} is damaged: it can't be decompressed"), _opened(path) as file:
        file.read(4 + 4 * len(shape))
        content = file.read(size + 1)
    if len(content) != size:
        more = "more" if len(content) > size else f"{len(content):,}"
        raise ValueError(f"{path} is damaged: expected {size:,} bytes of {dtype} {shape}, got {more}")
    return np.frombuffer(content, dtype).reshape(shape)


def _read_csv(path: Path) -> dict[str, Raw]:
    invalid = f"{path} is not a valid CSV file: expected numbers in every column but that of the labels"
    with unreadable_as(invalid), _opened(path) as file:
        first = file.readline(LONGEST_ROW).decode("utf-8-sig").rstrip("\r\n")
        delimiter = max(",;\t", key=first.count)
        row = next(csv.reader([first], delimiter=delimiter))
    has_header = sum(map(_is_number, row)) < len(row) / 2
    dropped, texts = set(), [0, len(row) - 1] if len(row) == PIXELS + 1 else []
    if has_header:
        headings = [heading.strip().lower() for heading in row]
        texts = [index for index, heading in enumerate(headings) if names.KINDS.get(heading) == "labels"]
        dropped = {index for index, heading in enumerate(headings) if heading in NUMBERING}
    with unreadable_as(invalid), _opened(path) as file:
        table = _read_rows(file, delimiter, has_header, texts, len(row))
    if table is None:
        raise ValueError(f"{path} holds more than {LARGEST_BYTES / 1e9:.1f} GB of numbers; split it")
    label = next(iter(texts), None) if has_header else _label_column(table, texts, path)
    if len(texts) > 1 and has_header:
        raise ValueError(f"expected one column of labels in {path}, got {' and '.join(row[index] for index in texts)}")
    pixels = [index for index in range(len(row)) if index != label and index not in dropped]
    heading = f"column {row[label] if has_header else label + 1}" if label is not None else "a column called label"
    labels = None if label is None else np.array(table[label], str)
    with unreadable_as(invalid):
        # A first or last column that isn't the labels has been read as text.
        images = table[pixels].to_numpy(np.float32)
    return {"": Raw("CSV", images, f"the pixels in {path}", labels, f"{heading} in {path}")}


def _read_rows(file: gzip.GzipFile | IO[bytes], delimiter: str, has_header: bool, texts: Sequence[int], columns: int):
    """A table of numbers, and of text in some columns; None if it is too large."""
    import pandas as pd

    dtypes: Any = {index: str if index in texts else np.float32 for index in range(columns)}
    # An empty cell is neither a number nor a label.
    options: Any = {"header": None, "names": range(columns), "index_col": False, "sep": delimiter, "na_filter": False}
    rows = iter(lambda: file.readline(LONGEST_ROW + 1), b"")
    blocks, cells = [], 0
    if has_header:
        next(rows)
    while block := list(itertools.islice(rows, CSV_BLOCK)):
        if max(map(len, block)) > LONGEST_ROW:
            raise ValueError("a row is too long")
        with warnings.catch_warnings():
            # It warns of rows with more columns than the first, which it would cut.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(BytesIO(b"".join(block)), dtype=dtypes, encoding="utf-8-sig", **options)
        blocks.append(table)
        cells += blocks[-1].size
        if cells * 4 > LARGEST_BYTES:
            return None
    return pd.concat(blocks, ignore_index=True)


def _label_column(table, candidates: Sequence[int], path: Path) -> int | None:
    """Which column of a table without headings holds the labels: the first or the last.

    A column of pixels there is the corner of the image, which is paper.
    """
    fitting = [
        index for index in candidates if all(names.digit_of_label(cell) is not None for cell in set(table[index]))
    ]
    varied = [index for index in fitting if len(set(table[index])) > 1]
    if len(varied) > 1:
        raise ValueError(f"both the first and the last column of {path} may be labels: give the columns headings")
    return next(iter(varied or fitting), None)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_READERS: dict[str, Callable[[Path], dict[str, Raw]]] = {
    "CSV": _read_csv,
    "IDX": _read_pair("IDX", _read_idx),
    "npy": _read_pair(".npy", read_npy),
    "npz": _read_npz,
    "HDF5": _read_hdf5,
}
