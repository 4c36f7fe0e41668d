"""Probabilities of digits from networks that learned from the others: cross-validation."""

from dataclasses import replace

import numpy as np

from digits import backend
from digits.checkpoints.recognizer import blocks_of
from digits.data import Digits, Splits
from digits.images import to_input
from digits.training import Recipe

# Like that of `train_cnn.py`, for fewer epochs.
RECIPE = Recipe(
    batch_size=512,
    hard_example_fraction=0.25,
    learning_rate=3e-3,
    weight_decay=0.05,
    ema_momentum=0.99,
    augmentation="light",
    calm_fraction=0.3,
)
# Fraction of the training digits held out to choose the epoch.
HELD_OUT = 0.1


def out_of_fold(digits: Digits, folds: int, epochs: int) -> np.ndarray:
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
    from digits.training import architectures, loop

    rng = np.random.default_rng(0)
    probabilities = np.empty((len(digits), 10), np.float32)
    # Folds are stratified by class.
    order = rng.permutation(len(digits))
    fold_of = np.empty(len(digits), int)
    fold_of[order[np.argsort(digits.labels[order], kind="stable")]] = np.arange(len(digits)) % folds
    for fold in range(folds):
        print(f"network {fold + 1} of {folds}")
        others = rng.permutation(np.flatnonzero(fold_of != fold))
        choosing, learned = np.split(others, [max(1, round(HELD_OUT * len(others)))])
        splits = Splits(digits.at(learned), digits.at(choosing), digits.at(choosing))
        network = loop.fit(architectures.cnn, splits, replace(RECIPE, epochs=epochs, patience=epochs)).model
        read = fold_of == fold
        # Not by `predict`, of which TensorFlow warns when several networks use it.
        blocks = [np.asarray(network(to_input(block), training=False)) for block in blocks_of(digits.images[read])]
        probabilities[read] = np.concatenate(blocks)
    return probabilities
