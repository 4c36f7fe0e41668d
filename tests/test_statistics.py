"""Intervals and tests against counted examples, simulation and SciPy's own tests."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from digits import statistics


def test_wilson_interval_is_the_solution_of_its_quadratic():
    # Wilson's bounds are the proportions p at which (correct/n - p)² = z² p(1 - p)/n.
    low, high = statistics.wilson_interval(9_940, 10_000)
    for bound in (low, high):
        assert (0.994 - bound) ** 2 == pytest.approx(1.959964**2 * bound * (1 - bound) / 10_000, rel=1e-5)
    assert low < 0.994 < high


def test_wilson_interval_of_no_mistakes_stays_below_one():
    low, high = statistics.wilson_interval(100, 100)
    assert low == pytest.approx(100 / (100 + 1.959964**2), rel=1e-6)
    assert high == 1.0


def test_mcnemar_is_the_binomial_tail_of_the_disagreements():
    # 1 against 9 disagreements: twice the chance of at most one head in ten throws, (1 + 10) / 1024 a side.
    correct_a = np.array([True] * 91 + [False] * 9)
    correct_b = np.array([False] + [True] * 90 + [False] * 0 + [True] * 9)
    result = statistics.compare_paired(correct_a, correct_b)
    assert (result.only_a, result.only_b) == (1, 9)
    assert result.p_value == pytest.approx(2 * 11 / 1024)
    assert result.difference == pytest.approx(-0.08)


def test_identical_models_cannot_be_told_apart():
    correct = np.array([True, False] * 50)
    result = statistics.compare_paired(correct, correct)
    assert result.p_value == 1.0
    assert result.interval[0] < 0 < result.interval[1]
    assert result.difference == 0


def test_paired_interval_agrees_with_the_bootstrap(rng):
    correct_a = rng.random(3000) < 0.95
    correct_b = np.where(rng.random(3000) < 0.9, correct_a, rng.random(3000) < 0.9)
    interval = statistics.compare_paired(correct_a, correct_b).interval
    resampled = bootstrap(
        (correct_a.astype(float) - correct_b,), np.mean, n_resamples=4000, method="percentile", rng=rng
    ).confidence_interval
    assert interval == pytest.approx(tuple(resampled), abs=8e-4)


def test_paired_interval_covers_the_truth_as_often_as_it_says(rng):
    # Cells of the 2×2 table: both right, only A, only B, neither; the true difference is 2 points.
    tables = rng.multinomial(1000, [0.92, 0.04, 0.02, 0.02], size=1000)
    cells = np.array([[True, True], [True, False], [False, True], [False, False]])
    covered = 0
    for table in tables:
        outcomes = np.repeat(cells, table, axis=0)
        low, high = statistics.compare_paired(outcomes[:, 0], outcomes[:, 1]).interval
        covered += low <= 0.02 <= high
    assert 930 <= covered <= 970
