"""Intervals, tests and curves against counted examples, simulation, SciPy and statsmodels."""

import numpy as np
import pytest
from scipy.stats import bootstrap, pearsonr, spearmanr
from statsmodels.stats.proportion import proportion_confint

from digits.metrics import intervals


def test_wilson_interval_is_the_solution_of_its_quadratic():
    # Wilson's bounds are the proportions p at which (correct/n - p)² = z² p(1 - p)/n.
    low, high = intervals.wilson_interval(9_940, 10_000)
    for bound in (low, high):
        assert (0.994 - bound) ** 2 == pytest.approx(1.959964**2 * bound * (1 - bound) / 10_000, rel=1e-5)
    assert low < 0.994 < high


def test_wilson_interval_of_no_mistakes_stays_below_one():
    low, high = intervals.wilson_interval(100, 100)
    assert low == pytest.approx(100 / (100 + 1.959964**2), rel=1e-6)
    assert high == 1.0


def test_mcnemar_is_the_binomial_tail_of_the_disagreements():
    # 1 against 9 disagreements: twice the chance of at most one head in ten throws, (1 + 10) / 1024 a side.
    correct_a = np.array([True] * 91 + [False] * 9)
    correct_b = np.array([False] + [True] * 90 + [False] * 0 + [True] * 9)
    result = intervals.compare_paired(correct_a, correct_b)
    assert (result.only_a, result.only_b) == (1, 9)
    assert result.p_value == pytest.approx(2 * 11 / 1024)
    assert result.difference == pytest.approx(-0.08)


def test_identical_models_do_not_differ():
    correct = np.array([True, False] * 50)
    result = intervals.compare_paired(correct, correct)
    assert result.p_value == 1.0
    assert result.interval[0] < 0 < result.interval[1]
    assert result.difference == 0


def test_paired_interval_agrees_with_the_bootstrap(rng):
    correct_a = rng.random(3000) < 0.95
    correct_b = np.where(rng.random(3000) < 0.9, correct_a, rng.random(3000) < 0.9)
    interval = intervals.compare_paired(correct_a, correct_b).interval
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
        low, high = intervals.compare_paired(outcomes[:, 0], outcomes[:, 1]).interval
        covered += low <= 0.02 <= high
    assert 930 <= covered <= 970


def test_holm_of_a_textbook_family():
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and the last may not be below the one before it.
    adjusted = intervals.holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])


def test_holm_keeps_the_shape_and_takes_all_as_one_family():
    p_values = np.array([[0.01, 0.04], [0.03, 0.005]])
    np.testing.assert_allclose(intervals.holm(p_values), [[0.03, 0.06], [0.06, 0.02]])
    assert intervals.holm(np.array([0.6, 0.9])).tolist() == [1, 1]
    for shape in ((0,), (3, 0)):
        assert intervals.holm(np.empty(shape)).shape == shape


@pytest.fixture(scope="module")
def hits() -> np.ndarray:
    """Right or wrong for 250 images: three rows at 60, 90 and 99 %, and the opposite of the first."""
    rows = np.random.default_rng(1).random((3, 250)) < np.array([[0.6], [0.9], [0.99]])
    return np.concatenate([rows, ~rows[:1]])


def test_bootstrap_spreads_as_a_proportion_does(hits, rng):
    accuracies = intervals.bootstrap_means(hits, 6000, rng)
    assert accuracies.shape == (4, 6000)
    accuracy = hits.mean(axis=1)
    deviation = np.sqrt(accuracy * (1 - accuracy) / 250)
    np.testing.assert_allclose(accuracies.std(axis=1), deviation, rtol=0.04)
    np.testing.assert_array_less(np.abs(accuracies.mean(axis=1) - accuracy), 4 * deviation / np.sqrt(6000))


def test_bootstrap_draws_the_same_images_for_every_row(hits, rng):
    first, second, _, opposite = hits
    cells = np.array([[first, second], [opposite, first]])
    accuracies = intervals.bootstrap_means(cells, 350, rng)
    assert accuracies.shape == (2, 2, 350)
    np.testing.assert_array_equal(accuracies[0, 0], accuracies[1, 1])
    np.testing.assert_allclose(accuracies[0, 0] + accuracies[1, 0], 1, atol=1e-6)
    np.testing.assert_array_equal(np.round(accuracies[0, 0] * 250) + np.round(accuracies[1, 0] * 250), 250)


def test_bootstrap_in_blocks_is_one_bootstrap(rng):
    # One image to a row: the first 130 rows are how often each image was drawn.
    some = rng.random((107, 130)) < 0.8
    accuracies = intervals.bootstrap_means(np.concatenate([np.eye(130, dtype=bool), some]), 333, rng)
    drawn = np.round(accuracies[:130] * 130).astype(int)
    np.testing.assert_allclose(accuracies[:130], drawn / 130, rtol=1e-6)
    np.testing.assert_array_equal(drawn.sum(axis=0), 130)
    np.testing.assert_allclose(accuracies[130:], some.astype(int) @ drawn / 130, rtol=1e-6)
    assert len(np.unique(drawn, axis=1).T) == 333
    # Each image is drawn once on average and with the binomial's variance, whatever its place.
    assert drawn.var() == pytest.approx(1 - 1 / 130, rel=0.03)
    assert np.abs(drawn.mean(axis=1) - 1).max() < 5 / np.sqrt(333)


def test_bootstrap_of_figures_is_their_mean_over_the_draw(rng):
    # Figures of either sign and size; the first 60 rows are how often each was drawn.
    figures = rng.normal(size=(2, 110, 60)) * 30 - 7
    means = intervals.bootstrap_means(np.concatenate([np.eye(60), figures.reshape(-1, 60)]), 150, rng)
    expected = figures.reshape(-1, 60) @ np.round(means[:60] * 60) / 60
    np.testing.assert_allclose(means[60:], expected, rtol=0, atol=1e-4)
    together, alone = (
        intervals.bootstrap_means(each, 150, np.random.default_rng(4)) for each in (figures, figures[1, 3])
    )
    np.testing.assert_allclose(together[1, 3], alone, rtol=0, atol=1e-4)


def test_bootstrap_is_determined_by_its_generator(hits):
    once, again, other = (intervals.bootstrap_means(hits, 120, np.random.default_rng(seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)


def test_bootstrap_interval_agrees_with_scipy(hits, rng):
    samples = intervals.bootstrap_means(hits, 6000, rng)
    ours = intervals.percentile_interval(samples).T
    for interval, row in zip(ours, hits, strict=True):
        reference = bootstrap((row.astype(float),), np.mean, n_resamples=6000, method="percentile", rng=rng)
        # Half an image and what two bootstraps differ by.
        assert interval == pytest.approx(tuple(reference.confidence_interval), abs=0.006)


def test_percentile_interval_takes_known_ranks(rng):
    # 0.025 × 999 = 24.975 and 0.975 × 999 = 974.025, taken outwards.
    samples = np.stack([rng.permutation(1000), 5000 + rng.permutation(1000)])
    assert intervals.percentile_interval(samples).tolist() == [[24, 5024], [975, 5975]]
    assert intervals.percentile_interval(np.arange(101.0)[::-1]).tolist() == [2, 98]


@pytest.mark.parametrize(("infinite", "upper"), [(24, 975), (25, np.inf), (1000, np.inf)])
def test_percentile_interval_of_samples_that_may_be_infinite(infinite, upper):
    samples = np.arange(1000.0)
    samples[1000 - infinite :] = np.inf
    assert intervals.percentile_interval(samples).tolist() == [24 if infinite < 1000 else np.inf, upper]


# Accuracy in percent at severities 0 to 4, and where it first falls below 95.
CURVES = {
    "by a straight line": ((100, 98, 96, 92, 80), 2.25),
    "in the first step": ((100, 80, 60, 40, 20), 0.25),
    "in the last step": ((100, 100, 100, 96, 94), 3.5),
    "below from the start": ((94, 99, 90, 80, 70), 0),
    "never": ((100, 99, 98, 97, 96), np.inf),
    "touching the floor is not below it": ((99, 95, 97, 95, 95), np.inf),
    "leaving from the floor": ((99, 97, 95, 85, 80), 2),
    "the first of two": ((100, 90, 100, 90, 80), 0.5),
}


@pytest.mark.parametrize(("curve", "expected"), CURVES.values(), ids=CURVES)
def test_first_crossing(curve, expected):
    assert intervals.first_crossing(np.array(curve), np.arange(5), 95) == pytest.approx(expected)


def test_first_crossing_of_many_curves_at_uneven_positions():
    # Over 0, 1, 3, 5: half of the step from 1 to 3, a quarter of that from 3 to 5, and so on.
    curves = np.array([[1, 0.97, 0.93, 0.9], [1, 0.99, 0.96, 0.92], [1, 1, 1, 1], [1, 0.9, 1, 1], [0.9, 1, 1, 0.5]])
    expected = np.array([2, 3.5, np.inf, 0.5, 0])
    values = np.stack([curves.T, curves[::-1].T], axis=2)
    crossings = intervals.first_crossing(values, np.array([0, 1, 3, 5]), 0.95)
    assert crossings.shape == (5, 2)
    np.testing.assert_allclose(crossings, np.stack([expected, expected[::-1]], axis=1))


def test_first_crossing_of_single_precision_curves():
    # 95 of 100 is the floor in both precisions.
    values = np.array([[1, 0.95, 0.95], [1, 0.95, 0.94]], np.float32).T
    assert intervals.first_crossing(values, np.arange(3), 0.95) == pytest.approx([np.inf, 1], abs=1e-4)


def test_corruption_errors_in_both_averages():
    # Summed over severities ours are .3 and .6, the baseline's .6 and .8: ratios .5 and .75, of the sums .9 / 1.4.
    ours, baseline = np.array([[0.1, 0.2], [0.2, 0.4]]), np.array([[0.2, 0.4], [0.3, 0.5]])
    mean_of_ratios, ratio_of_means = intervals.corruption_errors(ours, baseline)
    assert mean_of_ratios == pytest.approx(0.625)
    assert ratio_of_means == pytest.approx(9 / 14)


def test_corruption_errors_of_a_baseline_without_errors_under_one_corruption():
    ours, baseline = np.array([[0.1, 0.2], [0.1, 0.1], [0.2, 0.4]]), np.array([[0.2, 0.4], [0, 0], [0.3, 0.5]])
    mean_of_ratios, ratio_of_means = intervals.corruption_errors(ours, baseline)
    assert mean_of_ratios == pytest.approx(0.625)
    assert ratio_of_means == pytest.approx(11 / 14)


def test_corruption_errors_of_the_baseline_are_one_in_every_replicate(rng):
    errors = rng.random((4, 5, 30)) * 0.3
    errors[2] = 0
    assert np.array(intervals.corruption_errors(errors, errors)).tolist() == [[1] * 30] * 2
    halved = np.array(intervals.corruption_errors(errors / 2, errors))
    np.testing.assert_allclose(halved, np.full((2, 30), 0.5))


def test_corruption_errors_of_a_baseline_without_any_errors():
    # The last axis holds a baseline that errs and one that never does.
    ours = np.full((2, 2, 2), 0.3)
    baseline = np.stack([np.full((2, 2), 0.6), np.zeros((2, 2))], axis=2)
    for errors in intervals.corruption_errors(ours, baseline):
        np.testing.assert_allclose(errors, [0.5, np.nan])


@pytest.mark.parametrize(("right", "total"), [(0, 7), (1, 40), (38, 40), (95, 100), (9_871, 10_000), (12, 12)])
def test_wilson_estimate_agrees_with_statsmodels(right, total, rng):
    estimate = intervals.wilson_estimate(rng.permutation(total) < right)
    assert estimate.value == right / total
    reference = proportion_confint(right, total, method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx(reference, abs=1e-12)


def test_rounding_errors_of_the_baseline_count_as_no_errors():
    # The errors added to 9 of 10 by 7, 10 and 10 of 10 sum to zero, but for 1e-17.
    accuracy = np.array([9, 7, 10, 10]) / 10
    added = (accuracy[0] - accuracy[1:])[None]
    assert added.sum() != 0
    assert np.isnan(intervals.corruption_errors(np.array([[0.3, 0.1, 0.1]]), added)).all()


@pytest.mark.parametrize("shape", [(7, 50), (4, 28, 28), (3, 4, 4), (1, 2, 3, 5), (5, 2)])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize(("of_ranks", "oracle"), [(False, pearsonr), (True, spearmanr)])
def test_correlations_agree_with_scipy(shape, kind, of_ranks, oracle, rng):
    # Whole numbers tie; a third of the first is in the second.
    first = rng.integers(0, 200, shape).astype(kind)
    second = (first / 3 + rng.integers(0, 60, shape)).astype(kind)
    found = intervals.correlations(first, second, of_ranks)
    rows = zip(first.astype(float), second.astype(float), strict=True)
    np.testing.assert_allclose(found, [oracle(a.ravel(), b.ravel()).statistic for a, b in rows], atol=1e-10)
    assert found.shape == shape[:1]


def test_correlations_of_monotonic_functions(rng):
    values = rng.normal(size=(6, 30))
    for of_ranks in (False, True):
        np.testing.assert_allclose(intervals.correlations(values, 3 * values - 8, of_ranks), [1] * 6)
        np.testing.assert_allclose(intervals.correlations(values, -values, of_ranks), [-1] * 6)
    np.testing.assert_allclose(intervals.correlations(values, np.exp(3 * values), of_ranks=True), [1] * 6)
    assert intervals.correlations(values, np.exp(3 * values)).max() < 0.95


@pytest.mark.parametrize("of_ranks", [False, True])
@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, -7.3])
def test_correlation_with_a_constant_row_is_zero(constant, of_ranks, rng):
    some = rng.normal(size=(3, 784))
    flat = some.copy()
    flat[1] = constant
    for found in (intervals.correlations(flat, some, of_ranks), intervals.correlations(some, flat, of_ranks)):
        np.testing.assert_allclose(found, [1, 0, 1], atol=1e-12)


def test_correlation_of_two_constant_rows_is_zero():
    flat = np.array([0.0, 0.1, 0.3, 0.001, 1 / 3, -7.3])[:, None] + np.zeros((6, 784))
    np.testing.assert_array_equal(intervals.correlations(flat, flat), np.zeros(6))


@pytest.mark.parametrize("total", [12, 300])
def test_bootstrap_estimate_agrees_with_scipy(total, rng):
    figures = rng.exponential(size=total) - 0.7
    estimate = intervals.bootstrap_estimate(figures, replicates=6000)
    reference = bootstrap((figures,), np.mean, n_resamples=6000, method="percentile", rng=rng).confidence_interval
    assert estimate.value == pytest.approx(sum(figures) / total)
    # Two bootstraps of 6000 differ by some hundredths of the mean's own deviation.
    assert (estimate.low, estimate.high) == pytest.approx(tuple(reference), abs=0.15 * figures.std() / np.sqrt(total))


def test_bootstrap_estimate_is_determined_by_its_seed_and_replicates(rng):
    figures = rng.random(40)
    assert intervals.bootstrap_estimate(figures) == intervals.bootstrap_estimate(figures, 1000, 0)
    once, other = (intervals.bootstrap_estimate(figures, seed=seed) for seed in (0, 1))
    assert once.value == other.value
    assert (once.low, once.high) != (other.low, other.high)
    alone = intervals.bootstrap_estimate(figures, replicates=1, seed=3)
    (mean,) = intervals.bootstrap_means(figures, 1, np.random.default_rng(3))
    assert (alone.low, alone.high) == (mean, mean)


def test_bootstrap_estimate_covers_the_truth_nearly_as_often_as_it_says(rng):
    # 60 figures each; the percentile bootstrap is known to be a little too short.
    estimates = [intervals.bootstrap_estimate(rng.normal(2, 5, 60), 400, seed) for seed in range(400)]
    assert 0.9 <= np.mean([each.low <= 2 <= each.high for each in estimates]) <= 0.98


def test_intervals_over_clusters_have_the_width_of_the_ratio_estimator(rng):
    """The oracle is the linearised standard error of a ratio (Cochran 1977)."""
    sizes = rng.integers(20, 40, 300)
    clusters = np.repeat(np.arange(300), sizes)
    hits = rng.random(len(clusters)) < np.repeat(rng.beta(3, 1, 300), sizes)
    found = intervals.clustered_estimate(hits, clusters, replicates=4000)
    assert found.value == hits.mean()
    excess = np.bincount(clusters, hits) - found.value * sizes
    error = np.sqrt(np.sum(excess**2)) / len(clusters)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    alone = intervals.bootstrap_estimate(hits)
    assert found.high - found.low > 1.8 * (alone.high - alone.low)
    with_names = intervals.clustered_estimate(hits, np.array([f"person {number}" for number in clusters]), 4000)
    assert with_names.value == found.value
