"""What a model's card promises: the largest error rate of its sure answers and of its prediction sets."""

from dataclasses import dataclass

import numpy as np

from digits import metrics

# A card promises the first of these error rates at which the model is sure of at least this fraction of the digits.
# There is no correction for trying several: each is so much stricter than the next that chance rarely proves it first.
ERROR_RATES, LEAST_SURE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05), 0.5


@dataclass(frozen=True)
class Promise:
    """On digits like those of validation, at most `error_rate` of the sure answers is wrong, and of prediction sets.

    The former was proved with 90 % confidence; the latter holds on average over draws of validation digits. A verdict
    is sure only if the image also looks like a digit; the confidence alone counts here.

    Attributes:
        error_rate: from 0 to 1.
        sure_threshold: the confidence from which the model is sure.
        least_probability: from which a digit belongs to the prediction set.
        temperature: the logits are divided by it; 1 if the probabilities are calibrated already.
    """

    error_rate: float
    sure_threshold: float
    least_probability: float
    temperature: float = 1

    def is_sure(self, probabilities: np.ndarray) -> np.ndarray:
        """Of which answers the model is sure, bool (N,), given its probabilities, float (N, 10)."""
        return metrics.temper(probabilities, self.temperature).max(axis=1) >= self.sure_threshold

    def sets(self, probabilities: np.ndarray) -> np.ndarray:
        """The prediction sets, bool (N, 10), given the model's probabilities, float (N, 10)."""
        return metrics.prediction_sets(metrics.temper(probabilities, self.temperature), self.least_probability)


# Of a model without a card. It is never sure in evaluations, and a set is just the answer.
NONE = Promise(error_rate=1, sure_threshold=np.inf, least_probability=np.inf)


def to_make(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    """The `sure` of a card: the strictest promise that validation digits prove; if they prove none, it is never sure.

    Args:
        probabilities: calibrated, float (N, 10).
        labels: int (N,).
    """
    curve = metrics.risk_coverage(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
    threshold = None
    for error_rate in ERROR_RATES:
        threshold = curve.promised_threshold(error_rate)
        if threshold is not None and curve.coverage[curve.thresholds >= threshold][-1] >= LEAST_SURE:
            break
    return {
        "error_rate": error_rate,
        # No confidence reaches 1: `temper` leaves every digit a probability.
        "threshold": 1.0 if threshold is None else threshold,
        "least_probability": metrics.least_probability(probabilities, labels, error_rate),
    }


def made(card: dict) -> Promise:
    """The promise of a card; `NONE` if it makes none."""
    sure = card.get("sure", {})
    if "least_probability" not in sure:
        return NONE
    return Promise(sure["error_rate"], sure["threshold"], sure["least_probability"], card.get("temperature", 1))
