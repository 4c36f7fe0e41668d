"""The default model's answers to the test digits, a page that counts few of them, and an empty collection."""

from pathlib import Path

import numpy as np
import pytest

from digits import paths
from digits.checkpoints import recognizer
from panels import cache


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where the collection is for this test."""
    monkeypatch.setattr(paths, "MY_DIGITS", tmp_path)
    return tmp_path


@pytest.fixture
def few_test_digits(monkeypatch, splits) -> None:
    """What *Models* counts: all 10,000 test digits take the larger models seconds."""
    monkeypatch.setattr(cache, "test_digits", lambda: splits.test.first(1000))


@pytest.fixture(scope="session")
def advanced() -> recognizer.Recognizer:
    return recognizer.load("mnist_advanced")


@pytest.fixture(scope="session")
def said(advanced, splits) -> np.ndarray:
    """What the default model says of the first thousand test digits, some of which it misreads."""
    return advanced.predict_proba(splits.test.images[:1000])
