"""The split by writers: nobody is in both parts, and its size, series and order are as wanted."""

import numpy as np
import pytest

from digits import files, paths
from tools import writer_split


def test_nobody_is_in_both_parts(rng):
    """With 60 writers of 80 to 120 digits each, two fifths of them of another series."""
    counts = rng.integers(80, 121, 60)
    writers = rng.permutation(np.repeat(np.arange(60), counts))
    series = np.where(writers < 24, 0, 4)
    indices = writer_split.split(series, writers, size=700, seed=3)
    assert indices.dtype == np.uint16
    assert np.array_equal(np.sort(indices), np.arange(len(writers)))
    train, validation = indices[:-700], indices[-700:]
    assert not set(writers[train]) & set(writers[validation])
    assert np.mean(series[validation] == 0) == pytest.approx(np.mean(series == 0), abs=1 / 700)
    # In random order, so that the first digits are typical of all.
    assert abs(np.corrcoef(np.arange(len(train)), train)[0, 1]) < 0.1
    np.testing.assert_array_equal(indices, writer_split.split(series, writers, size=700, seed=3))


def test_the_shipped_split_is_the_documented_one_and_holds_every_digit_once():
    path = paths.DATA / "split_writers.npy"
    assert files.sha256(path) in (paths.DATA / "README.md").read_text(encoding="utf-8")
    assert np.array_equal(np.sort(np.load(path)), np.arange(60_000))
