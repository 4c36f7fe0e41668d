"""Selective prediction against brute force, and against the closed form of its area."""

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap
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
def test_coverage_is_the_largest_within_the_error_rate(error_rate, answers):
    confidence, correct = answers
    curve = metrics.risk_coverage(confidence, correct)
    within = [each for each in confidence if np.mean(~correct[confidence >= each]) <= error_rate]
    assert curve.coverage_at(error_rate) == max([np.mean(confidence >= each) for each in within], default=0)


def test_promises_are_broken_as_rarely_as_they_say(rng):
    """Of 400 sets of 2,000 answers each, whose true error rate above any confidence is known."""
    broken, made = 0, 0
    for _ in range(400):
        confidence = rng.random(2000)
        # Above a confidence c, (1 - c) / 10 of the answers are wrong.
        correct = rng.random(2000) > (1 - confidence) / 5
        threshold = metrics.risk_coverage(confidence, correct).promised_threshold(0.02)
        if threshold is not None:
            made += 1
            broken += (1 - threshold) / 10 > 0.02
    assert made > 100
    assert broken / made < 0.1 + 3 * np.sqrt(0.1 * 0.9 / made)


def test_promise_stops_before_the_first_threshold_that_disproves_it():
    """The oracle of each threshold is SciPy's exact interval."""
    correct = np.ones(1000, bool)
    correct[[400, 450]] = False
    curve = metrics.risk_coverage(np.linspace(1, 0.5, 1000), correct)
    threshold = curve.promised_threshold(0.01)

    def bound(answered: int) -> float:
        return binomtest(int(np.sum(~correct[:answered])), answered).proportion_ci(0.8, "exact").high

    (index,) = np.flatnonzero(curve.thresholds == threshold)
    # Nothing can be proved by fewer than 230 answers.
    assert all(bound(answered) <= 0.01 for answered in range(230, index + 2))
    assert bound(index + 2) > 0.01
    # All are enough for the next promise; a promise that no number of answers can prove isn't made.
    assert curve.promised_threshold(0.02) == 0.5
    assert curve.promised_threshold(0.001) is None


def test_nothing_is_promised_if_the_most_confident_answers_are_wrong():
    correct = np.ones(1000, bool)
    correct[:20] = False
    curve = metrics.risk_coverage(np.linspace(1, 0.5, 1000), correct)
    assert curve.promised_threshold(0.01) is None
    assert curve.coverage_at(0.01) == 0


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
