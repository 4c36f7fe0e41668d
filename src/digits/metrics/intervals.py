"""Confidence intervals, paired comparisons of models, corruption errors and correlations."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

# Errors below this are rounding errors.
ROUNDING = 1e-9


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion, as fractions (Wilson 1927).

    SciPy's function would cost the page's server 50 MB of memory.
    """
    z = NormalDist().inv_cdf(0.975)
    middle, spread = correct + z**2 / 2, z * sqrt(correct * (total - correct) / total + z**2 / 4)
    # Rounding errors may exceed the range at both ends.
    return max(0.0, (middle - spread) / (total + z**2)), min(1.0, (middle + spread) / (total + z**2))


def accuracy_with_interval(correct: int, total: int) -> dict:
    """An accuracy as in cards and reports: `n`, `correct`, `accuracy` and its 95 % Wilson `interval`, as fractions."""
    return {
        "n": total,
        "correct": correct,
        "accuracy": correct / total,
        "interval": list(wilson_interval(correct, total)),
    }


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval."""

    value: float
    low: float
    high: float


def wilson_estimate(correct: np.ndarray) -> Estimate:
    """The accuracy, a fraction, of predictions of which `correct`, bool (N,), are correct, with Wilson's interval."""
    count, total = int(correct.sum()), len(correct)
    return Estimate(count / total, *wilson_interval(count, total))


@dataclass(frozen=True)
class PairedComparison:
    """Models A and B compared on the same images.

    Attributes:
        only_a: number of images that only A classifies correctly.
        only_b: number of images that only B classifies correctly.
        difference: accuracy of A minus accuracy of B, as a fraction.
        interval: its 95 % interval (Agresti and Min 2005: Wald after adding half an image to each cell of the table).
        p_value: of McNemar's exact two-sided test that both have the same accuracy.
    """

    only_a: int
    only_b: int
    difference: float
    interval: tuple[float, float]
    p_value: float


def compare_paired(correct_a: np.ndarray, correct_b: np.ndarray) -> PairedComparison:
    """Compare two models by which predictions are correct, bool (N,) each, on the same images in the same order."""
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
    """Adjust the p-values of a family of tests, an array of any shape, for multiple testing (Holm 1979)."""
    from statsmodels.stats.multitest import multipletests

    if not p_values.size:
        return p_values
    return np.asarray(multipletests(p_values.ravel(), method="holm")[1]).reshape(p_values.shape)


def bootstrap_means(values: np.ndarray, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Means over bootstrap samples of the images (Efron 1979), the same samples for every row.

    Anything computed from the rows of one replicate, such as a difference or a ratio, is therefore paired.

    Args:
        values: (..., N), one value per image; correct (1) and wrong (0) predictions give accuracies.

    Returns:
        float64 (..., replicates).
    """
    total = values.shape[-1]
    rows = values.reshape(-1, total)
    means = np.empty((len(rows), replicates))
    # In blocks, because the counts and the values as floats would take much memory.
    for start in range(0, replicates, 100):
        part = means[:, start : start + 100]
        counts = rng.multinomial(total, np.full(total, 1 / total), size=part.shape[1]).T.astype(np.float32)
        for row in range(0, len(rows), 100):
            part[row : row + 100] = rows[row : row + 100].astype(np.float32) @ counts
    means /= total
    return means.reshape(*values.shape[:-1], replicates)


def percentile_interval(samples: np.ndarray) -> np.ndarray:
    """The 95 % percentile interval over the last axis, (..., samples) to (2, ...).

    The bounds are samples rather than interpolated, so that samples may be infinite.
    """
    return np.stack(
        [
            np.percentile(samples, 2.5, axis=-1, method="lower"),
            np.percentile(samples, 97.5, axis=-1, method="higher"),
        ]
    )


def first_crossing(values: np.ndarray, positions: np.ndarray, floor: float) -> np.ndarray:
    """Where curves first fall below `floor`, interpolated linearly between their points.

    Args:
        values: (points, ...), curves along the first axis.
        positions: (points,), ascending.

    Returns:
        float (...), in units of `positions`: the first position for a curve that begins below, infinity for one that
        never falls below.
    """
    below = values < floor
    after = np.maximum(below.argmax(axis=0), 1)[None]
    high, low = np.take_along_axis(values, after - 1, axis=0)[0], np.take_along_axis(values, after, axis=0)[0]
    left, right = positions[after[0] - 1], positions[after[0]]
    share = (high - floor) / np.where(high > low, high - low, 1)
    crossing = np.where(below[0], positions[0], left + share * (right - left))
    return np.where(below.any(axis=0), crossing, np.inf)


def corruption_errors(errors: np.ndarray, baseline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean corruption error (mCE) relative to a baseline model, averaged over corruptions in two ways.

    Hendrycks and Dietterich (2019) sum over severities and then average the ratios of the errors. A corruption under
    which the baseline makes few errors then counts as much as any other; the ratio of the averages avoids that. Errors
    minus the clean error give the *relative* mCE.

    Args:
        errors: (corruptions, severities, ...), error rates as fractions.
        baseline: (corruptions, severities, ...), those of the baseline model.

    Returns:
        Mean of ratios and ratio of means, float (...) each. The first leaves out corruptions under which the baseline
        makes no errors. NaN where the baseline makes no errors at all.
    """
    ours, theirs = errors.sum(axis=1), baseline.sum(axis=1)
    # The difference of equal accuracies may be a rounding error rather than 0.
    usable, any_error = theirs > ROUNDING, theirs.sum(axis=0) > ROUNDING
    ratios = _ratio(ours, theirs, usable)
    mean = _ratio(np.where(usable, ratios, 0).sum(axis=0), usable.sum(axis=0), usable.any(axis=0))
    return mean, _ratio(ours.sum(axis=0), theirs.sum(axis=0), any_error)


def _ratio(numerator: np.ndarray, denominator: np.ndarray, usable: np.ndarray) -> np.ndarray:
    return np.where(usable, numerator / np.where(usable, denominator, 1), np.nan)


def correlations(first: np.ndarray, second: np.ndarray, of_ranks: bool = False) -> np.ndarray:
    """Pearson's correlation of each row of one array with the same row of another, (N, ...) each.

    Args:
        of_ranks: compute Spearman's rank correlation instead.

    Returns:
        float64 (N,); 0 where either row is constant.
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
    """The mean of values, (N,), with its 95 % bootstrap interval."""
    low, high = percentile_interval(bootstrap_means(values, replicates, np.random.default_rng(seed)))
    return Estimate(float(values.mean()), float(low), float(high))


def clustered_estimate(values: np.ndarray, clusters: np.ndarray, replicates: int = 1000, seed: int = 0) -> Estimate:
    """The mean of values, (N,), with its 95 % bootstrap interval over clusters, whose members aren't independent.

    Such as one person's digits. Whole clusters are drawn (Field and Welsh 2007).

    Args:
        clusters: (N,), the cluster of each value.
    """
    _, which = np.unique(clusters, return_inverse=True)
    sums = np.stack([np.bincount(which, values), np.bincount(which)])
    drawn = bootstrap_means(sums, replicates, np.random.default_rng(seed))
    low, high = percentile_interval(drawn[0] / drawn[1])
    return Estimate(float(np.mean(values)), float(low), float(high))
