"""Selective prediction against brute force, and against the closed form of its area."""

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from digits import metrics


@pytest.fixture(params=[2, 8], ids=["many of equal confidence", "hardly any"])
def answers(request, rng) -> tuple[np.ndarray, np.ndarray]:
    """Confidences (400,) with some ties, and which answers are correct."""
    confidence = rng.uniform(0.5, 1, 400).round(request.param)
    return confidence, rng.random(400) < confidence**0.3


def test_the_curve_is_what_counting_at_every_threshold_gives(answers):
    confidence, correct = answers
    curve = metrics.risk_coverage(confidence, correct)
    np.testing.assert_array_equal(curve.thresholds, np.unique(confidence)[::-1])
    np.testing.assert_allclose(curve.coverage, [np.mean(confidence >= each) for each in curve.thresholds])
    np.testing.assert_allclose(curve.risk, [np.mean(~correct[confidence >= each]) for each in curve.thresholds])


def test_areas_agree_with_the_closed_form_and_with_every_order_of_equals(answers, rng):
    confidence, correct = answers
    curve, accuracy = metrics.risk_coverage(confidence, correct), correct.mean()
    # Traub et al. (2024).
    augrc = (1 - roc_auc_score(correct, confidence)) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert curve.augrc == pytest.approx(augrc, rel=1e-9)
    orders = [np.lexsort((rng.random(400), -confidence)) for _ in range(400)]
    aurc = np.mean([np.cumsum(~correct[order]) / np.arange(1, 401) for order in orders])
    assert curve.aurc == pytest.approx(aurc, rel=0.01)


@pytest.mark.parametrize("error_rate", [0, 0.01, 0.1, 0.5])
def test_threshold_is_the_lowest_within_the_error_rate(error_rate, answers):
    confidence, correct = answers
    curve = metrics.risk_coverage(confidence, correct)
    within = [each for each in confidence if np.mean(~correct[confidence >= each]) <= error_rate]
    assert curve.threshold_at(error_rate) == min(within, default=1)
    assert curve.coverage_at(error_rate) == max([np.mean(confidence >= each) for each in within], default=0)


def test_nothing_is_sure_if_the_most_confident_answer_is_wrong():
    curve = metrics.risk_coverage(np.array([0.9, 0.8, 0.7]), np.array([False, True, True]))
    assert (curve.threshold_at(0.3), curve.coverage_at(0.3)) == (1, 0)
    assert (curve.threshold_at(0.4), curve.coverage_at(0.4)) == (0.7, 1)


def test_interval_of_the_coverage_is_the_bootstrap_of_scipy(answers):
    confidence, correct = answers
    found = bootstrap(
        answers,
        lambda confidence, correct: metrics.risk_coverage(confidence, correct > 0).coverage_at(0.07),
        n_resamples=1500,
        vectorized=False,
        paired=True,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    interval = metrics.risk_coverage(confidence, correct).coverage_interval(0.07, replicates=3000)
    np.testing.assert_allclose(interval, found.confidence_interval, atol=0.03)
    assert interval[0] < interval[1] - 0.1
