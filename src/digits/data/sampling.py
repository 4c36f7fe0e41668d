"""Choose digits from a data set."""

import numpy as np

from digits.data.digits import Digits


def representative(digits: Digits, digit: int, count: int) -> np.ndarray:
    """Indices, int (count,), of images of `digit` from the most typical to the most unusual.

    They are evenly spaced by the rank of their distance from the class's mean image.
    """
    members = np.flatnonzero(digits.labels == digit)
    images = digits.images[members].reshape(len(members), -1).astype(np.float32)
    ranked = np.argsort(np.linalg.norm(images - images.mean(axis=0), axis=1), kind="stable")
    return members[ranked[np.linspace(0, len(members) - 1, count).round().astype(int)]]


def evenly_spaced(digits: Digits, count: int) -> tuple[Digits, np.ndarray]:
    """`count` evenly spaced digits, or all if there are fewer, and their indices, int (count,).

    The first ones wouldn't be representative: MNIST's first 5,000 test digits are easier than its last 5,000.

    Raises:
        ValueError: `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"the number of digits must be at least 1, got {count}")
    indices = np.linspace(0, len(digits) - 1, min(count, len(digits))).round().astype(int)
    return Digits(digits.images[indices], digits.labels[indices]), indices


def even_probabilities(*levels: np.ndarray) -> np.ndarray:
    """Sampling probabilities, (N,), even over groups, over the groups of the next level in each, and so on to members.

    Args:
        levels: the group of each member, (N,), from coarse to fine.
    """
    probabilities, group = np.ones(len(levels[0])), np.zeros(len(levels[0]), int)
    for level in (*levels, np.arange(len(levels[0]))):
        pairs = np.column_stack([group, np.unique(level, return_inverse=True)[1]])
        finer, finer_group = np.unique(pairs, axis=0, return_inverse=True)
        probabilities /= np.bincount(finer[:, 0])[group]
        group = finer_group
    return probabilities
