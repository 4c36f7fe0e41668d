"""Answers kept in the cache folder: computed once for a checkpoint and its digits, and never believed if damaged."""

from dataclasses import replace

import numpy as np
import pytest

from digits.checkpoints import recognizer
from digits.recognition import stored


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "digit-workbench"


def ask(recogniser, images) -> tuple[np.ndarray, list[float]]:
    """The probabilities, and how far it said to be."""
    told = []
    return stored.probabilities(recogniser, images, told.append), told


def test_answers_are_computed_once_for_a_checkpoint_and_its_digits(cache, some_digits):
    images = some_digits.images[:250]
    expected = recognizer.load("mnist_mlp").predict_proba(images)
    for wanted in ([0, 0.4, 0.8], []):
        found, told = ask(recognizer.load("mnist_mlp"), images)
        np.testing.assert_array_equal(found, expected)
        assert told == wanted
    assert ask(recognizer.load("mnist_mlp"), images[:100])[1] == [0]
    assert ask(recognizer.load("mnist_logistic"), images)[1] == [0, 0.4, 0.8]
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("wrong", [b"", b"something else"])
def test_a_damaged_file_is_replaced(cache, some_digits, wrong):
    images = some_digits.images[:250]
    expected, _ = ask(recognizer.load("mnist_mlp"), images)
    (file,) = cache.iterdir()
    file.write_bytes(wrong)
    np.testing.assert_array_equal(ask(recognizer.load("mnist_mlp"), images)[0], expected)
    assert ask(recognizer.load("mnist_mlp"), images)[1] == []


def test_a_visitors_model_leaves_no_file(cache, some_digits):
    ask(replace(recognizer.load("mnist_mlp"), sha256=""), some_digits.images[:250])
    assert not cache.exists()
