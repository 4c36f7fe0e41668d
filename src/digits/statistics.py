"""How sure a measured accuracy is: Wilson intervals, and the paired comparison of two models on the same images."""

from dataclasses import dataclass

import numpy as np


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927), as fractions of one."""
    from scipy.stats import binomtest

    interval = binomtest(correct, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def accuracy_with_interval(correct: int, total: int) -> dict:
    """An accuracy as cards and reports hold it: `n`, `correct`, `accuracy` and its 95 % Wilson `interval`."""
    return {
        "n": total,
        "correct": correct,
        "accuracy": correct / total,
        "interval": list(wilson_interval(correct, total)),
    }


@dataclass(frozen=True)
class PairedComparison:
    """Model A against model B on the same images.

    Attributes:
        only_a: images that A alone gets right.
        only_b: images that B alone gets right.
        difference: accuracy of A minus accuracy of B, a fraction of one.
        interval: its 95 % interval (Agresti and Min 2005: Wald after adding half an image to each cell of the table).
        p_value: McNemar's exact two-sided test that both are equally often right.
    """

    only_a: int
    only_b: int
    difference: float
    interval: tuple[float, float]
    p_value: float


def compare_paired(correct_a: np.ndarray, correct_b: np.ndarray) -> PairedComparison:
    """Compare two models from what each got right; bool (N,) and (N,), in the same order of images."""
    from scipy.stats import binomtest, norm

    only_a = int(np.sum(correct_a & ~correct_b))
    only_b = int(np.sum(correct_b & ~correct_a))
    total = len(correct_a)
    p_value = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0

    padded = total + 2
    centre = (only_a - only_b) / padded
    deviation = np.sqrt((only_a + only_b + 1) / padded - centre**2) / np.sqrt(padded)
    reach = norm.ppf(0.975) * deviation
    interval = (float(centre - reach), float(centre + reach))
    return PairedComparison(only_a, only_b, (only_a - only_b) / total, interval, float(p_value))
