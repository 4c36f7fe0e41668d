"""Who wrote each of MNIST's digits, from QMNIST's labels (Yadav and Bottou 2019)."""

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from digits.data.mnist import load_mnist

# Of an IDX file of signed 32-bit integers on two axes.
MAGIC = 0x0C02
HEADER = struct.Struct(">III")
# QMNIST's columns: the class, the series of NIST's forms and the writer, then others.
COLUMNS = 8
MNIST_SIZE = {"train": 60_000, "test": 10_000}
SERIES = {0: "census employees", 4: "high-school students"}


@dataclass(frozen=True)
class Writers:
    """The people who wrote labelled digits.

    Attributes:
        people: int32 (N,), a number for each digit's writer; training and test digits have different writers.
        series: int32 (N,), the series of NIST's forms; `SERIES` says whose they are.
    """

    people: np.ndarray
    series: np.ndarray

    def __len__(self) -> int:
        return len(self.people)

    def at(self, indices: np.ndarray) -> "Writers":
        """The writers at these indices, int (M,), or where a mask is true, bool (N,)."""
        return Writers(self.people[indices], self.series[indices])


def load_writers(folder: Path, part: Literal["train", "test"]) -> Writers:
    """The writers of MNIST's 60,000 training digits or its 10,000 test digits, in MNIST's order.

    Args:
        folder: holds `qmnist-train-labels-idx2-int` or `qmnist-test-labels-idx2-int`, or the same as `.tsv`, each also
            with `.gz`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is damaged, or its classes aren't those of MNIST.
    """
    stem = f"qmnist-{part}-labels"
    names = [f"{stem}{suffix}{packed}" for suffix in ("-idx2-int", ".tsv") for packed in ("", ".gz")]
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder with {names[0]} or {stem}.tsv, optionally with .gz, got {folder}")
    path = next((path for name in names if (path := folder / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"expected {names[0]} or {stem}.tsv, optionally with .gz, in {folder}, got neither")
    rows = _rows_of(path)[: MNIST_SIZE[part]]
    labels = load_mnist(names=[f"y_{part}"])[f"y_{part}"]
    if len(rows) < len(labels):
        raise ValueError(f"expected at least {len(labels):,} rows in {path}, got {len(rows):,}")
    if len(different := np.flatnonzero(rows[:, 0] != labels)):
        first = int(different[0])
        raise ValueError(
            f"expected MNIST's labels in {path}, got others in {len(different):,} rows, first in row {first}: "
            f"{rows[first, 0]} instead of {labels[first]}"
        )
    if unknown := set(np.unique(rows[:, 1]).tolist()) - set(SERIES):
        raise ValueError(f"expected NIST's series {' and '.join(map(str, SERIES))} in {path}, got {unknown}")
    return Writers(rows[:, 2].astype(np.int32), rows[:, 1].astype(np.int32))


def _rows_of(path: Path) -> np.ndarray:
    """The rows of a file of labels, int (rows, 8)."""
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        if ".tsv" in path.suffixes:
            rows = np.array([line.split(b"\t") for line in content.splitlines()[_has_headings(content) :]], np.int64)
        else:
            magic, count, columns = HEADER.unpack_from(content)
            if magic != MAGIC:
                raise ValueError(f"magic number {magic:#x} instead of {MAGIC:#x}")
            rows = np.frombuffer(content, ">i4", offset=HEADER.size).reshape(count, columns)
    except (OSError, EOFError, zlib.error, ValueError, OverflowError, struct.error) as error:
        raise ValueError(f"{path} is not a valid file of QMNIST's labels: {error}") from error
    if rows.ndim != 2 or rows.shape[1] != COLUMNS:
        raise ValueError(f"expected rows of {COLUMNS} numbers in {path}, got an array of shape {rows.shape}")
    return rows


def _has_headings(content: bytes) -> bool:
    return not content[:1].isdigit()
