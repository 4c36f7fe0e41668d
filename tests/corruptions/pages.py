"""Uniform pages, and corrupted images as floats."""

import numpy as np

from digits.corruptions import CORRUPTIONS

ROWS, COLUMNS = np.indices((28, 28))


def damage(name, images, amount, seed=0, indices=None) -> np.ndarray:
    """Corrupted images, as floats."""
    return CORRUPTIONS[name].at(images, amount, np.random.default_rng(seed), indices).astype(float)


def pages(value: int, count: int) -> np.ndarray:
    return np.full((count, 28, 28), value, np.uint8)


def twice(count: int) -> np.ndarray:
    """Indices by which the second half of a batch is corrupted in the same way as the first."""
    return np.tile(np.arange(count), 2)
