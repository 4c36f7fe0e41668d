"""Prediction sets against their definition, and against the distribution that coverage is known to have."""

import numpy as np
import pytest
from scipy.stats import beta, kstest

from digits import metrics


def test_sets_have_the_answer_and_all_that_is_as_probable_as_the_limit(rng):
    probabilities = rng.dirichlet(np.full(10, 0.3), 200)
    sets = metrics.prediction_sets(probabilities, 0.2)
    for row, members in zip(probabilities, sets, strict=True):
        expected = {int(row.argmax())} | {digit for digit in range(10) if row[digit] >= 0.2}
        assert set(np.flatnonzero(members)) == expected


@pytest.mark.parametrize("error_rate", [0.001, 0.01, 0.2])
def test_so_many_sets_miss_as_exchangeable_digits_allow(error_rate, rng):
    """Coverage over draws of N calibration digits has a Beta distribution (Vovk 2012) if no two scores are equal."""
    count = 2000
    coverage = []
    for _ in range(300):
        # The true digit's probability is uniform, so a limit's coverage is known: the chance to reach it.
        true = rng.random(count)
        probabilities = np.stack([true, 1 - true], axis=1)
        coverage.append(1 - metrics.least_probability(probabilities, np.zeros(count, int), error_rate))
    missed = int(error_rate * (count + 1))
    assert kstest(coverage, beta(count + 1 - missed, missed).cdf).pvalue > 0.001
    assert np.mean(coverage) > 1 - error_rate - 3 * np.std(coverage) / np.sqrt(300)


def test_too_few_digits_promise_nothing_but_all_ten(rng):
    probabilities = rng.dirichlet(np.ones(10), 998)
    labels = rng.integers(0, 10, 998)
    assert metrics.least_probability(probabilities, labels, 0.001) == 0
    assert metrics.prediction_sets(probabilities, 0).all()
    # With one more, the least probable label is the limit.
    probabilities, labels = np.r_[probabilities, probabilities[:1]], np.r_[labels, labels[:1]]
    assert metrics.least_probability(probabilities, labels, 0.001) == probabilities[np.arange(999), labels].min()
