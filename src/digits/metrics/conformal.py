"""Split-conformal prediction: sets, at most a promised fraction of which misses the true digit."""

import numpy as np


def least_probability(probabilities: np.ndarray, labels: np.ndarray, error_rate: float) -> float:
    """The probability from which a digit belongs to its image's prediction set.

    These are the least ambiguous sets (Sadinle, Lei and Wasserman 2019). If further digits are exchangeable with
    these, the sets of at most `error_rate` of them miss the true digit, on average over draws of these digits.

    Args:
        probabilities: float (N, 10), of digits that the model wasn't trained on.
        labels: int (N,).
        error_rate: from 0 to below 1.

    Returns:
        From 0 to 1; 0, so that every set has all ten digits, if N is too small to promise more.
    """
    of_labels = np.sort(probabilities[np.arange(len(labels)), labels])
    missed = int(error_rate * (len(labels) + 1))
    return float(of_labels[missed - 1]) if missed else 0.0


def prediction_sets(probabilities: np.ndarray, least: float) -> np.ndarray:
    """Which digits are in each prediction set, bool (N, 10): the most probable, and all with at least `least`."""
    return (probabilities >= least) | (probabilities == probabilities.max(axis=1, keepdims=True))
