"""Probabilities of digits from networks that learned from the others: cross-validation."""

import numpy as np

from digits import backend
from digits.checkpoints.recognizer import blocks_of
from digits.data import Digits, Splits
from digits.images import to_input
from digits.training import Recipe

# Fraction of the training digits held out to choose the epoch.
HELD_OUT = 0.1


def out_of_fold(digits: Digits, folds: int, recipe: Recipe) -> np.ndarray:
    """Train the standard CNN once for each fold, on the other folds, and read the fold with it.

    Args:
        folds: at least 2.

    Returns:
        Probabilities, float32 (N, 10).

    Raises:
        ValueError: there are too few digits for so many folds.
    """
    if len(digits) < 10 * folds:
        raise ValueError(f"expected at least {10 * folds} digits for {folds} folds, got {len(digits)}")
    backend.load_keras()
    from sklearn.model_selection import StratifiedKFold, train_test_split

    from digits.training import architectures, loop

    probabilities = np.empty((len(digits), 10), np.float32)
    parts = StratifiedKFold(folds, shuffle=True, random_state=0).split(digits.images, digits.labels)
    for number, (others, read) in enumerate(parts, start=1):
        print(f"network {number} of {folds}")
        learned, choosing = map(np.asarray, train_test_split(others, test_size=HELD_OUT, random_state=0))
        splits = Splits(digits.at(learned), digits.at(choosing), digits.at(choosing))
        network = loop.fit(architectures.cnn, splits, recipe).model
        # Not by `predict`, of which TensorFlow warns when several networks use it.
        blocks = [np.asarray(network(to_input(block), training=False)) for block in blocks_of(digits.images[read])]
        probabilities[read] = np.concatenate(blocks)
    return probabilities
