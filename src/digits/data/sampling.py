"""Choosing digits from a set."""

import numpy as np

from digits.data.digits import Digits


def representative(digits: Digits, digit: int, count: int) -> np.ndarray:
    """Indices of `count` images of `digit` that stand for the class: from its most typical to its most unusual.

    Typical is near the class's mean image; the indices are evenly spaced by rank of that distance.
    """
    members = np.flatnonzero(digits.labels == digit)
    images = digits.images[members].reshape(len(members), -1).astype(np.float32)
    ranked = np.argsort(np.linalg.norm(images - images.mean(axis=0), axis=1), kind="stable")
    return members[ranked[np.linspace(0, len(members) - 1, count).round().astype(int)]]


def evenly_spaced(digits: Digits, count: int) -> tuple[Digits, np.ndarray]:
    """`count` digits from all over the set, with their indices.

    MNIST's first 5,000 test digits are easier than its last (its authors' page says so), so the first ones won't do.
    """
    if count < 1:
        raise ValueError(f"the number of digits must be at least 1, got {count}")
    indices = np.linspace(0, len(digits) - 1, min(count, len(digits))).round().astype(int)
    return Digits(digits.images[indices], digits.labels[indices]), indices
