"""Scores of a classifier on labelled images, from its probabilities (N, 10) and the true digits (N,).

Scikit-learn has some of them, but takes seconds to import, which a page that answers at once can't spare.
"""

from dataclasses import dataclass

import numpy as np

CALIBRATION_BINS = 15
SMALLEST_PROBABILITY = 1e-12


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log probability of the true digit, nats; a probability of 0 counts as 1e-12."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(true, SMALLEST_PROBABILITY)).mean())


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance between the probabilities and the one-hot truth, 0 to 2 (Brier 1950)."""
    return float(np.square(probabilities.astype(np.float64) - np.eye(10)[labels]).sum(axis=1).mean())


@dataclass(frozen=True)
class Reliability:
    """How often answers of each confidence are right, in bins of equal width from 0 to 1.

    Attributes:
        edges: (bins + 1,) confidences.
        counts: (bins,) answers a bin.
        confidence: (bins,) their mean confidence; NaN where a bin is empty.
        accuracy: (bins,) the fraction of them that is right; NaN where a bin is empty.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> Reliability:
    """Sort the answers into bins by their confidence; a bin holds its upper edge (Guo et al. 2017)."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    some = np.where(counts, counts, np.nan)
    return Reliability(
        edges,
        counts,
        np.bincount(place, confidence, minlength=bins) / some,
        np.bincount(place, correct, minlength=bins) / some,
    )


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Mean distance of confidence and accuracy over the bins, weighted by their counts (Guo et al. 2017, eq. 3)."""
    diagram = reliability(probabilities, labels, bins)
    return float(np.nansum(diagram.counts * np.abs(diagram.confidence - diagram.accuracy)) / len(labels))


def temper(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities, (..., 10), that logits divided by a temperature would have given; above 1 makes less sure."""
    powers = np.maximum(probabilities.astype(np.float64), SMALLEST_PROBABILITY) ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def best_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, 0.1 to 10, that makes the true digits most likely (Guo et al. 2017); for validation digits."""
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        return negative_log_likelihood(temper(probabilities, np.exp(logarithm)), labels)

    return float(np.exp(minimize_scalar(loss, bounds=np.log([0.1, 10]), method="bounded").x))


def sure_threshold(probabilities: np.ndarray, labels: np.ndarray, error_rate: float) -> float:
    """The least confidence from which on at most `error_rate` of the answers are wrong; 1 where there is none."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    surest_first = np.argsort(-confidence, kind="stable")
    wrong = (probabilities.argmax(axis=1) != labels)[surest_first].cumsum()
    # Of equally sure answers all count or none.
    last_of_equals = np.r_[np.diff(confidence[surest_first]) < 0, True]
    allowed = last_of_equals & (wrong <= error_rate * np.arange(1, len(labels) + 1))
    return float(confidence[surest_first][allowed].min(initial=1))


def confusion_matrix(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts (10, 10): row the true digit, column the answer."""
    return np.bincount(labels.astype(int) * 10 + predictions, minlength=100).reshape(10, 10)


def most_confused(confusion: np.ndarray, count: int = 6) -> list[tuple[int, int, int]]:
    """The commonest mistakes as (true digit, answer, how many), most frequent first; pairs without one are left out."""
    mistakes = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:count]
    pairs = [(int(index // 10), int(index % 10), int(mistakes.flat[index])) for index in order]
    return [pair for pair in pairs if pair[2]]
