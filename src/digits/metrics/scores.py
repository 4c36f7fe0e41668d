"""Scores of a classifier, from its probabilities, float (N, 10) in [0, 1], and the labels, integers (N,) from 0 to 9.

Scikit-learn has some of them but takes seconds to import, too long for a page that responds at once.
"""

from dataclasses import dataclass

import numpy as np

CALIBRATION_BINS = 15
SMALLEST_PROBABILITY = 1e-12


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood of the labels, in nats; a probability of 0 counts as 1e-12."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(true, SMALLEST_PROBABILITY)).mean())


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance between the probabilities and the one-hot labels, 0 to 2 (Brier 1950)."""
    return float(np.square(probabilities.astype(np.float64) - np.eye(10)[labels]).sum(axis=1).mean())


@dataclass(frozen=True)
class Reliability:
    """Accuracy by confidence, in bins of equal width from 0 to 1: the data of a reliability diagram.

    Attributes:
        edges: float (bins + 1,), confidences.
        counts: int (bins,), predictions in each bin.
        confidence: float (bins,), their mean confidence; NaN for an empty bin.
        accuracy: float (bins,), their accuracy; NaN for an empty bin.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> Reliability:
    """Sort the predictions into 15 bins by confidence; a bin includes its upper edge (Guo et al. 2017)."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    divisor = np.where(counts, counts, np.nan)
    return Reliability(
        edges,
        counts,
        np.bincount(bins, confidence, minlength=CALIBRATION_BINS) / divisor,
        np.bincount(bins, correct, minlength=CALIBRATION_BINS) / divisor,
    )


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean gap between confidence and accuracy over 15 bins, weighted by their counts (Guo et al. 2017, eq. 3)."""
    diagram = reliability(probabilities, labels)
    return float(np.nansum(diagram.counts * np.abs(diagram.confidence - diagram.accuracy)) / len(labels))


def temper(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Temperature-scale probabilities, (..., 10), as if their logits were divided by `temperature`, to float64.

    A temperature above 1 lowers the confidence.
    """
    powers = np.maximum(probabilities.astype(np.float64), SMALLEST_PROBABILITY) ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def best_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, 0.1 to 10, that minimises the negative log-likelihood on validation digits (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        return negative_log_likelihood(temper(probabilities, np.exp(logarithm)), labels)

    return float(np.exp(minimize_scalar(loss, bounds=np.log([0.1, 10]), method="bounded").x))


def confusion_matrix(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts, int (10, 10): rows are true digits, columns predicted digits, both integers (N,)."""
    return np.bincount(labels.astype(int) * 10 + predictions, minlength=100).reshape(10, 10)


def most_confused(confusion: np.ndarray, count: int = 6) -> list[tuple[int, int, int]]:
    """The most frequent errors in a confusion matrix as (true digit, predicted digit, count), at most `count` pairs."""
    mistakes = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:count]
    pairs = [(int(index // 10), int(index % 10), int(mistakes.flat[index])) for index in order]
    return [pair for pair in pairs if pair[2]]
