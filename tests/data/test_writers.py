"""The writers of MNIST's digits, from files as QMNIST distributes them."""

import gzip
import struct

import numpy as np
import pytest

from digits import data

TEST_LABELS = "qmnist-test-labels"


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Labels of the 10,000 test digits and of two further ones, with invented writers."""
    labels = data.load_mnist(names=["y_test"])["y_test"]
    rows = np.zeros((10_002, 8), np.int64)
    rows[:10_000, 0] = labels
    rows[:, 1] = np.where(np.arange(10_002) < 5000, 4, 0)
    rows[:, 2] = np.arange(10_002) // 30
    return rows


def as_idx(rows: np.ndarray) -> bytes:
    return struct.pack(">BBBBII", 0, 0, 12, 2, *rows.shape) + rows.astype(">i4").tobytes()


def as_tsv(rows: np.ndarray) -> bytes:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows.tolist()).encode()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "encode"),
    [
        (f"{TEST_LABELS}-idx2-int", as_idx),
        (f"{TEST_LABELS}.tsv", as_tsv),
        (f"{TEST_LABELS}.tsv", lambda rows: b"class\tseries\twriter\ta\tb\tc\td\te\n" + as_tsv(rows)),
    ],
)
def test_either_format_is_read_and_rows_beyond_mnist_are_left_out(name, encode, packed, rows, tmp_path):
    content = encode(rows)
    (tmp_path / (name + ".gz" * packed)).write_bytes(gzip.compress(content, 1) if packed else content)
    writers = data.load_writers(tmp_path, "test")
    np.testing.assert_array_equal(writers.people, rows[:10_000, 2])
    np.testing.assert_array_equal(writers.series, rows[:10_000, 1])
    np.testing.assert_array_equal(writers.at(np.array([31, 9000])).people, [1, 300])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-8], "not a valid file of QMNIST's labels"),
        (lambda content: content[:9], "not a valid file of QMNIST's labels"),
        (lambda content: b"\0\0\x08" + content[3:], "magic number 0x802 instead of 0xc02"),
        (lambda content: as_idx(np.zeros((10, 8))), "at least 10,000 rows in .*, got 10"),
        (lambda content: as_idx(np.zeros((10_000, 7))), r"rows of 8 numbers in .*, got an array of shape \(10000, 7\)"),
    ],
)
def test_damaged_and_other_files_are_refused(damage, message, rows, tmp_path):
    (tmp_path / f"{TEST_LABELS}-idx2-int").write_bytes(damage(as_idx(rows)))
    with pytest.raises(ValueError, match=message):
        data.load_writers(tmp_path, "test")


@pytest.mark.parametrize("content", [b"7\t4\n1\t2\t3\n", b"\xff\xfe", b"", b"\t".join([b"9" * 40] * 8) + b"\n"])
def test_a_table_without_eight_numbers_a_row_is_refused(content, tmp_path):
    (tmp_path / f"{TEST_LABELS}.tsv").write_bytes(content)
    with pytest.raises(ValueError, match=r"QMNIST's labels|rows of 8 numbers"):
        data.load_writers(tmp_path, "test")


def test_labels_of_other_digits_are_refused_with_the_first_difference(rows, tmp_path):
    rows = rows.copy()
    rows[[12, 700], 0] = (rows[[12, 700], 0] + 1) % 10
    (tmp_path / f"{TEST_LABELS}-idx2-int").write_bytes(as_idx(rows))
    with pytest.raises(ValueError, match=f"others in 2 rows, first in row 12: {rows[12, 0]} instead of "):
        data.load_writers(tmp_path, "test")


def test_a_folder_without_them_says_what_is_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected qmnist-train-labels-idx2-int or "):
        data.load_writers(tmp_path, "train")


def test_a_damaged_compressed_file_is_refused(rows, tmp_path):
    content = bytearray(gzip.compress(as_idx(rows)))
    content[2000:2200] = bytes(200)
    (tmp_path / f"{TEST_LABELS}-idx2-int.gz").write_bytes(content)
    with pytest.raises(ValueError, match="not a valid file of QMNIST's labels"):
        data.load_writers(tmp_path, "test")


def test_an_unknown_series_is_refused(rows, tmp_path):
    rows = rows.copy()
    rows[7, 1] = 99
    (tmp_path / f"{TEST_LABELS}.tsv").write_bytes(as_tsv(rows))
    with pytest.raises(ValueError, match=r"expected NIST's series 0 and 4 in .*, got \{99\}"):
        data.load_writers(tmp_path, "test")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "labels").touch()
    with pytest.raises(FileNotFoundError, match="expected a folder with qmnist-test-labels-idx2-int"):
        data.load_writers(tmp_path / "labels", "test")
