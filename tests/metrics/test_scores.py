"""Scores against scikit-learn and counted examples."""

import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from digits import metrics


@pytest.fixture
def answers(rng) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (500, 10) of a middling classifier, and labels."""
    labels = rng.integers(0, 10, 500)
    scores = rng.normal(size=(500, 10)) + 2 * np.eye(10)[labels]
    exponentials = np.exp(scores)
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32), labels.astype(np.uint8)


def test_nll_brier_and_confusion_agree_with_scikit_learn(answers):
    probabilities, labels = answers
    predictions = probabilities.argmax(axis=1)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    assert metrics.negative_log_likelihood(probabilities, labels) == pytest.approx(
        sklearn.metrics.log_loss(labels, exact), rel=1e-5
    )
    assert metrics.brier_score(probabilities, labels) == pytest.approx(
        sklearn.metrics.brier_score_loss(labels, exact, scale_by_half=False, labels=range(10)), rel=1e-5
    )
    expected = sklearn.metrics.confusion_matrix(labels, predictions, labels=range(10))
    np.testing.assert_array_equal(metrics.confusion_matrix(predictions, labels), expected)


@pytest.mark.parametrize("temperature", [0.3, 1, 4])
def test_tempered_probabilities_are_those_of_divided_logits(rng, temperature):
    logits = rng.normal(size=(50, 10)) * 2
    tempered = metrics.temper(scipy.special.softmax(logits, axis=1), temperature)
    np.testing.assert_allclose(tempered, scipy.special.softmax(logits / temperature, axis=1), rtol=1e-6)


@pytest.mark.parametrize("stretch", [0.4, 1, 3])
def test_best_temperature_recalibrates_a_model_made_overconfident(rng, stretch):
    logits = rng.normal(size=(20_000, 10)) * 2
    honest = scipy.special.softmax(logits, axis=1)
    labels = (honest.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    found = metrics.best_temperature(scipy.special.softmax(logits * stretch, axis=1), labels)
    assert found == pytest.approx(stretch, rel=0.05)


def test_a_probability_of_zero_stays_finite():
    assert metrics.negative_log_likelihood(np.eye(10)[[0]], np.array([1])) == pytest.approx(-np.log(1e-12))


def test_calibration_error_counted_by_hand():
    # Confidence 0.65, three of four right: |0.65 - 0.75| = 0.1. Confidence 0.95, one of two: 0.45. Weighted 4:2.
    probabilities = np.zeros((6, 10))
    probabilities[:4, 0], probabilities[:4, 1] = 0.65, 0.35
    probabilities[4:, 0], probabilities[4:, 1] = 0.95, 0.05
    labels = np.array([0, 0, 0, 1, 0, 1])
    assert metrics.expected_calibration_error(probabilities, labels) == pytest.approx((4 * 0.1 + 2 * 0.45) / 6)


def test_reliability_counts_every_prediction_once(answers):
    diagram = metrics.reliability(*answers)
    assert diagram.counts.sum() == 500
    filled = diagram.counts > 0
    assert np.all(diagram.confidence[filled] > diagram.edges[:-1][filled])
    assert np.all(diagram.confidence[filled] <= diagram.edges[1:][filled])


def test_confidence_of_one_falls_into_the_last_bin():
    assert metrics.reliability(np.eye(10), np.arange(10)).counts[-1] == 10


def test_most_confused_pairs_are_ranked_and_exclude_correct_predictions():
    confusion = np.diag([50] * 10)
    confusion[4, 9], confusion[7, 2] = 5, 3
    assert metrics.most_confused(confusion) == [(4, 9, 5), (7, 2, 3)]
