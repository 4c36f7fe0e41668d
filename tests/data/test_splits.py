"""Digits to train, choose and test on: MNIST in any form, and other digits with parts of their own or held out."""

import numpy as np
import pytest
from PIL import Image

from digits import data
from tests.data.test_labelled import write_idx


def test_mnist_in_its_four_idx_files_is_split_as_ever(tmp_path, splits):
    for name, array in data.load_mnist().items():
        kind, part = name.split("_")
        write_idx(tmp_path / f"{part.replace('test', 't10k')}-{'images' if kind == 'x' else 'labels'}", array)
    found = data.load_splits(tmp_path)
    assert found.are_mnist
    assert not found.how_read
    for part in ("train", "validation", "test"):
        for kind in ("images", "labels"):
            np.testing.assert_array_equal(getattr(getattr(found, part), kind), getattr(getattr(splits, part), kind))
    np.testing.assert_array_equal(data.load_test(tmp_path).labels, splits.test.labels)


def test_a_tenth_of_each_class_is_held_out_where_there_are_no_parts(tmp_path, some_digits):
    np.savez(tmp_path / "mine.npz", images=some_digits.images, labels=some_digits.labels)
    found = data.load_splits(tmp_path / "mine.npz")
    parts = (found.train, found.validation, found.test)
    everything = np.concatenate([part.images for part in parts])
    assert sorted(image.tobytes() for image in everything) == sorted(image.tobytes() for image in some_digits.images)
    counts = np.bincount(some_digits.labels)
    assert np.abs(np.bincount(found.test.labels) - counts / 10).max() <= 0.5
    assert np.abs(np.bincount(found.validation.labels) - counts * 0.09).max() <= 1
    np.testing.assert_array_equal(data.load_splits(tmp_path / "mine.npz").test.images, found.test.images)
    assert (found.name, found.are_mnist) == ("mine.npz", False)
    digits, source, lines = data.load_labelled_or_test(None, tmp_path / "mine.npz")
    assert source == "mine.npz's test digits"
    assert lines[0].endswith("1,000 digits, .npz")
    np.testing.assert_array_equal(digits.labels, found.test.labels)


def test_parts_that_are_named_are_used(tmp_path, some_digits):
    for index, part in enumerate(["train"] * 30 + ["test"] * 10 + ["valid"] * 10):
        folder = tmp_path / "set" / part / str(index % 10)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(some_digits.images[index]).save(folder / f"{index}.png")
    found = data.load_splits(tmp_path / "set")
    assert [len(part) for part in (found.train, found.validation, found.test)] == [30, 10, 10]
    assert found.test.labels.tolist() == list(range(10))


def test_what_cannot_be_split_is_refused(tmp_path, some_digits):
    path = tmp_path / "mine.npz"
    few = some_digits.at(np.flatnonzero(some_digits.labels != 3))
    np.savez(path, x_train=few.images, y_train=few.labels)
    with pytest.raises(ValueError, match=r"at least 3 training digits of each class in .*, got 0 of 3"):
        data.load_splits(path)
    np.savez(path, x_test=few.images, y_test=few.labels)
    with pytest.raises(ValueError, match="got only test digits"):
        data.load_splits(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"pictures in folders 0 to 9.*git checkout data/mnist\.npz"):
        data.load_splits(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no .*nowhere/mnist\.npz"):
        data.load_splits(tmp_path / "nowhere")
