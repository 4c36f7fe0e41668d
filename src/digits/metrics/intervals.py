"""How sure a measured accuracy is: intervals, comparisons of models on the same images, and where a curve falls."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

ROUNDING = 1e-9


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927), as fractions of one.

    Its formula, because SciPy's costs the page's server 50 MB for a few lines.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle, spread = correct + z**2 / 2, z * sqrt(correct * (total - correct) / total + z**2 / 4)
    # At both ends rounding may lead a little out of the range.
    return max(0.0, (middle - spread) / (total + z**2)), min(1.0, (middle + spread) / (total + z**2))


def accuracy_with_interval(correct: int, total: int) -> dict:
    """An accuracy as cards and reports hold it: `n`, `correct`, `accuracy` and its 95 % Wilson `interval`."""
    return {
        "n": total,
        "correct": correct,
        "accuracy": correct / total,
        "interval": list(wilson_interval(correct, total)),
    }


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson_estimate(correct: np.ndarray) -> Estimate:
    """The accuracy of answers that are right or wrong, bool (N,), with Wilson's interval."""
    right, total = int(correct.sum()), len(correct)
    return Estimate(right / total, *wilson_interval(right, total))


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


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values of a family of tests, any shape, adjusted for the number of them (Holm 1979)."""
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests(p_values.ravel(), method="holm")[1] if p_values.size else p_values
    return adjusted.reshape(p_values.shape)


def bootstrap_means(values: np.ndarray, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Means over images drawn again with replacement (Efron 1979), the same draw for every row.

    Whatever is computed from the rows of one replicate (a difference, a mean, a ratio) is therefore paired.

    Args:
        values: (..., N), figures of the same N images; right (1) and wrong (0) answers give accuracies.

    Returns:
        float (..., replicates).
    """
    total = values.shape[-1]
    rows = values.reshape(-1, total)
    means = np.empty((len(rows), replicates))
    # Some replicates and some rows at a time: their counts and their numbers as floats would take much memory.
    for start in range(0, replicates, 100):
        part = means[:, start : start + 100]
        counts = rng.multinomial(total, np.full(total, 1 / total), size=part.shape[1]).T.astype(np.float32)
        for row in range(0, len(rows), 100):
            part[row : row + 100] = rows[row : row + 100].astype(np.float32) @ counts
    means /= total
    return means.reshape(*values.shape[:-1], replicates)


def percentile_interval(samples: np.ndarray, confidence: float = 0.95) -> np.ndarray:
    """The middle `confidence` of the last axis as (2, ...); a bound is one of the samples, so they may be infinite."""
    tail = 100 * (1 - confidence) / 2
    return np.stack(
        [
            np.percentile(samples, tail, axis=-1, method="lower"),
            np.percentile(samples, 100 - tail, axis=-1, method="higher"),
        ]
    )


def first_crossing(values: np.ndarray, positions: np.ndarray, floor: float) -> np.ndarray:
    """Where a curve first falls below `floor`, by straight lines between its points.

    Args:
        values: (points, ...), curves along the first axis.
        positions: (points,), ascending.

    Returns:
        (...), in units of `positions`; the first position where the curve begins below, infinity where it never falls.
    """
    below = values < floor
    after = np.maximum(below.argmax(axis=0), 1)[None]
    high, low = np.take_along_axis(values, after - 1, axis=0)[0], np.take_along_axis(values, after, axis=0)[0]
    left, right = positions[after[0] - 1], positions[after[0]]
    share = (high - floor) / np.where(high > low, high - low, 1)
    crossing = np.where(below[0], positions[0], left + share * (right - left))
    return np.where(below.any(axis=0), crossing, np.inf)


def corruption_errors(errors: np.ndarray, baseline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors in relation to a baseline model's, averaged over corruptions in both ways.

    Hendrycks and Dietterich (2019) sum over severities first and average the ratios; a corruption under which the
    baseline hardly errs then weighs as much as any, which the ratio of the averages avoids. Given errors less the clean
    error, both are the *relative* mCE.

    Args:
        errors: (corruptions, severities, ...).
        baseline: (corruptions, severities, ...) of the baseline model.

    Returns:
        Mean of ratios and ratio of means, each (...); corruptions that leave the baseline no error are left out of the
        first. NaN where the baseline has no error at all.
    """
    ours, theirs = errors.sum(axis=1), baseline.sum(axis=1)
    # Differences of accuracies that are equal may leave a rounding error.
    usable, any_error = theirs > ROUNDING, theirs.sum(axis=0) > ROUNDING
    ratios = _ratio(ours, theirs, usable)
    mean = _ratio(np.where(usable, ratios, 0).sum(axis=0), usable.sum(axis=0), usable.any(axis=0))
    return mean, _ratio(ours.sum(axis=0), theirs.sum(axis=0), any_error)


def _ratio(over: np.ndarray, under: np.ndarray, usable: np.ndarray) -> np.ndarray:
    return np.where(usable, over / np.where(usable, under, 1), np.nan)


def correlations(first: np.ndarray, second: np.ndarray, of_ranks: bool = False) -> np.ndarray:
    """Pearson's correlation of each row of one array with that of another, (N, ...) and (N, ...), as (N,).

    Args:
        of_ranks: Spearman's rank correlation instead.

    Returns:
        float (N,); 0 where one of the rows is the same everywhere, and so says nothing.
    """
    from scipy.stats import rankdata

    first, second = (np.reshape(each, (len(each), -1)).astype(np.float64) for each in (first, second))
    if of_ranks:
        first, second = rankdata(first, axis=1), rankdata(second, axis=1)
    varies = (np.ptp(first, axis=1) > 0) & (np.ptp(second, axis=1) > 0)
    first, second = (each - each.mean(axis=1, keepdims=True) for each in (first, second))
    scale = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.divide((first * second).sum(axis=1), scale, out=np.zeros(len(first)), where=varies & (scale > 0))


def bootstrap_estimate(values: np.ndarray, replicates: int = 1000, seed: int = 0) -> Estimate:
    """The mean of figures, (N,), with its 95 % bootstrap interval."""
    low, high = percentile_interval(bootstrap_means(values, replicates, np.random.default_rng(seed)))
    return Estimate(float(values.mean()), float(low), float(high))
