"""The analysis of a sweep: the headline and corruption errors, recomputed by counting in plain loops."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.data import Digits
from digits.metrics import intervals
from digits.robustness import analysis, promises
from digits.robustness import plan as sweep_plan
from tests.robustness.sweeps import CARDS, IMAGES, KINDS, NAMES, RIGHT, mean_right, sweep_of

UNSEEN = {"noisy": ("scale", "fog", "stripe"), "plain": KINDS, "bendy": ("gaussian_noise", "stripe")}
UNSEEN_BY_ALL = ("stripe",)


def test_curves_begin_clean_and_follow_the_table(three):
    assert three.names == list(NAMES)
    assert three.severities == (0, 1, 3, 5)
    expected = [
        [RIGHT["clean", 0], RIGHT[kind, 1], RIGHT[kind, 3], RIGHT[kind, 5]]
        for kind in ("gaussian_noise", "scale", "fog", "stripe")
    ]
    np.testing.assert_allclose(three.accuracy, np.array(expected) / IMAGES)
    cells = np.arange(13 * 2).reshape(13, 2)
    by_severity = three.by_severity(cells)
    assert by_severity.shape == (4, 4, 2)
    np.testing.assert_array_equal(by_severity[:, 0], np.tile(cells[0], (4, 1)))
    np.testing.assert_array_equal(by_severity[:, 1:].reshape(12, 2), cells[1:])


def test_headline_is_the_mean_of_the_cells_it_names(three):
    for model, row in enumerate(three.headline()):
        assert row["model"] == NAMES[model]
        assert row["clean"].value == pytest.approx(RIGHT["clean", 0][model] / IMAGES)
        assert row["all"].value == pytest.approx(mean_right(KINDS, model))
        assert row["unseen"].value == pytest.approx(mean_right(UNSEEN[NAMES[model]], model))
        assert row["unseen_count"] == len(UNSEEN[NAMES[model]])
        assert row["unseen_by_all"].value == pytest.approx(mean_right(UNSEEN_BY_ALL, model))
        assert row["unseen_by_all_count"] == 1
        assert row["mnist_c"] is None
        accuracy, kind = min((mean_right([kind], model), kind) for kind in KINDS)
        assert (row["worst"], row["worst_accuracy"]) == (kind, pytest.approx(accuracy))
    assert [row["worst"] for row in three.headline()] == ["fog", "scale", "gaussian_noise"]


def test_headline_intervals_are_those_of_means_over_images(three, correct):
    # An image's mean over the cells is one observation; the bootstrap of 1,000 finds a bound to a tenth of a deviation.
    parts = {"clean": ("clean",), "all": KINDS, "unseen_by_all": UNSEEN_BY_ALL}
    for model, row in enumerate(three.headline()):
        for name, kinds in (parts | {"unseen": UNSEEN[NAMES[model]]}).items():
            images = np.mean([right[model] for cell, right in correct.items() if cell[0] in kinds], axis=0)
            deviation = images.std() / np.sqrt(IMAGES)
            assert row[name].low == pytest.approx(images.mean() - 1.96 * deviation, abs=0.4 * deviation)
            assert row[name].high == pytest.approx(min(1, images.mean() + 1.96 * deviation), abs=0.4 * deviation)


def test_corruptions_that_change_no_answer_do_not_narrow_the_interval(correct):
    cells = [("clean", 0), *((kind, severity) for kind in KINDS for severity in (1, 2))]
    same = dict.fromkeys(cells, correct["scale", 3])
    found = analysis.Robustness(sweep_of(NAMES, KINDS, (1, 2), same), CARDS, "plain")
    for row in found.headline():
        for name in ("value", "low", "high"):
            assert getattr(row["all"], name) == pytest.approx(getattr(row["clean"], name), abs=1e-6)


def test_there_is_no_mean_over_unseen_corruptions_without_a_card(three):
    found = replace(three, cards=CARDS | {"bendy": {}})
    noisy, _, bendy = found.headline()
    assert noisy["unseen"].value == pytest.approx(mean_right(UNSEEN["noisy"], 0))
    assert (bendy["unseen"], bendy["unseen_count"]) == (None, 0)
    for row in found.headline():
        assert (row["unseen_by_all"], row["unseen_by_all_count"]) == (None, 0)


@pytest.fixture(scope="module")
def everything() -> dict[tuple[str, int], np.ndarray]:
    """Two models' answers to ten images under everything."""
    rng = np.random.default_rng(6)
    cells = [("clean", 0), *((kind, severity) for kind in CORRUPTIONS for severity in SEVERITIES)]
    return {cell: rng.random((2, 10)) < 0.8 for cell in cells}


def test_mnist_c_mean_takes_each_of_the_fifteen_at_its_level(everything):
    found = analysis.Robustness(
        sweep_of(["a", "b"], list(CORRUPTIONS), SEVERITIES, everything), {"a": {}, "b": {}}, "a"
    )
    levels = {each.name: each.mnist_c for each in CORRUPTIONS.values() if each.mnist_c is not None}
    assert len(levels) == 15
    for model, row in enumerate(found.headline()):
        images = np.mean([everything[cell][model] for cell in levels.items()], axis=0)
        assert row["mnist_c"].value == pytest.approx(images.mean())
        deviation = images.std() / np.sqrt(10)
        assert row["mnist_c"].low == pytest.approx(images.mean() - 1.96 * deviation, abs=deviation)
        assert row["mnist_c"].high == pytest.approx(images.mean() + 1.96 * deviation, abs=deviation)


@pytest.mark.parametrize(
    ("left_out", "severities"), [("fog", (1, 2, 3, 4, 5)), ("jpeg", (2, 3, 4)), ("jpeg", (3, 4, 5))]
)
def test_mnist_c_mean_needs_all_fifteen_levels(everything, left_out, severities):
    kinds = [kind for kind in CORRUPTIONS if kind != left_out]
    found = analysis.Robustness(sweep_of(["a", "b"], kinds, severities, everything), {"a": {}, "b": {}}, "a")
    assert [row["mnist_c"] for row in found.headline()] == [None, None]


def test_mnist_c_mean_needs_no_other_corruption_or_severity(everything):
    kinds = [each.name for each in CORRUPTIONS.values() if each.mnist_c]
    found = analysis.Robustness(sweep_of(["a", "b"], kinds, (2, 3, 4, 5), everything), {"a": {}, "b": {}}, "a")
    expected = np.mean([everything[kind, CORRUPTIONS[kind].mnist_c] for kind in kinds], axis=(0, 2))
    assert [row["mnist_c"].value for row in found.headline()] == pytest.approx(expected)


@pytest.mark.parametrize("baseline", NAMES)
@pytest.mark.parametrize("measure", ["mce", "relative_mce"])
def test_corruption_errors_are_sums_of_errors_divided_by_the_baselines(three, baseline, measure):
    def mistakes(kind: str, model: int) -> int:
        best = RIGHT["clean", 0][model] if measure == "relative_mce" else IMAGES
        return sum(best - RIGHT[kind, severity][model] for severity in (1, 3, 5))

    theirs = NAMES.index(baseline)
    for model, row in enumerate(replace(three, baseline=baseline).headline()):
        ratios = [mistakes(kind, model) / mistakes(kind, theirs) for kind in KINDS]
        ratio = sum(mistakes(kind, model) for kind in KINDS) / sum(mistakes(kind, theirs) for kind in KINDS)
        assert set(row[measure]) == {"mean_of_ratios", "ratio_of_means"}
        for name, expected in (("mean_of_ratios", sum(ratios) / 4), ("ratio_of_means", ratio)):
            estimate = row[measure][name]
            assert estimate.value == pytest.approx(expected)
            if model == theirs:
                assert (estimate.low, estimate.value, estimate.high) == (1, 1, 1)
            else:
                assert estimate.low < expected < estimate.high


def test_an_identical_model_differs_in_no_replicate(correct):
    twins = {cell: each[[0, 2, 0]] for cell, each in correct.items()}
    results = sweep_of(["one", "other", "twin"], KINDS, (1, 3, 5), twins)
    found = analysis.Robustness(results, {"one": {}, "other": {}, "twin": {}}, "one")
    twin = found.headline()[2]
    for measure in ("mce", "relative_mce"):
        for estimate in twin[measure].values():
            assert (estimate.low, estimate.value, estimate.high) == (1, 1, 1)
    for row in found.cell_comparisons:
        if (row["a"], row["b"]) == ("one", "twin"):
            assert (row["difference_low"], row["difference"], row["difference_high"]) == (0, 0, 0)
            assert row["mcnemar_p"] == row["holm_p"] == 1
    comparison = found.pairwise_comparisons()[1]
    assert (comparison["a"], comparison["b"], comparison["difference"]) == ("one", "twin", intervals.Estimate(0, 0, 0))


@pytest.mark.parametrize("wrong", [0, 1, 5])
def test_corruption_errors_relative_to_a_baseline_with_few_errors(wrong):
    cells = {("clean", 0): (40, 40), ("scale", 1): (40, 30), ("fog", 1): (40 - wrong, 20)}
    correct = {cell: np.arange(40) < np.array(counts)[:, None] for cell, counts in cells.items()}
    results = sweep_of(["best", "other"], ["scale", "fog"], (1,), correct)
    found = analysis.Robustness(results, {"best": {}, "other": {}}, "best")
    best, other = found.headline()
    for measure in ("mce", "relative_mce"):
        if not wrong:
            assert other[measure] == best[measure] == {"mean_of_ratios": None, "ratio_of_means": None}
            continue
        # Fog alone leaves the baseline an error to divide by.
        assert other[measure]["mean_of_ratios"].value == pytest.approx(20 / wrong)
        assert other[measure]["ratio_of_means"].value == pytest.approx(30 / wrong)
        for estimate in other[measure].values():
            assert 1 < estimate.low < estimate.value < estimate.high < np.inf


def test_baseline_is_the_one_wanted_or_logistic_regression_or_the_first(three):
    plan = three.results.plan
    assert analysis.choose_baseline(plan) == "noisy"
    assert analysis.choose_baseline(plan, "bendy") == "bendy"
    logistic = replace(plan, models=(*plan.models, sweep_plan.Model("mnist_logistic", "", "")))
    assert analysis.choose_baseline(logistic) == "mnist_logistic"
    assert analysis.choose_baseline(logistic, "plain") == "plain"
    with pytest.raises(ValueError, match="nobody is not among the models: noisy, plain, bendy"):
        analysis.choose_baseline(plan, "nobody")


def test_best_first_sorts_by_mean_over_corruptions(three):
    before = three.results
    after = before.best_first()
    # The best when clean comes second; the order isn't its own inverse.
    assert [model.name for model in after.plan.models] == ["bendy", "noisy", "plain"]
    assert (after.plan.digits, after.plan.seed) == (before.plan.digits, before.plan.seed)
    for cell, old in zip(after.cells, before.cells, strict=True):
        assert (cell.corruption, cell.severity) == (old.corruption, old.severity)
        assert cell.seconds.tolist() == [9, 2, 0, 1]
        assert cell.mean_confidence.tolist() == [12, 10, 11]
        assert cell.nll.tolist() == [22, 20, 21]
        assert cell.brier.tolist() == [32, 30, 31]
        assert cell.ece.tolist() == [42, 40, 41]
        assert cell.confidence[:, 0].tolist() == [0.75, 0.5, 0.625]
        counts = (cell.answers == after.plan.digits.labels).sum(axis=1)
        noisy, plain, bendy = RIGHT[cell.corruption, cell.severity]
        assert counts.tolist() == [bendy, noisy, plain]


def test_the_order_of_the_models_changes_no_result(three):
    sorted_first = replace(three, results=three.results.best_first())
    before = {row["model"]: row for row in three.headline()}
    after = {row["model"]: row for row in sorted_first.headline()}
    assert before == after


@dataclass
class Answering:
    """A recogniser that gives these answers, whatever it is shown."""

    name: str
    answers: np.ndarray

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        assert len(images) == len(self.answers)
        return np.eye(10, dtype=np.float32)[self.answers]


def test_promises_are_kept_in_as_many_cells_as_counting_finds(three):
    sure = {"error_rate": 0.3, "threshold": 0.9, "least_probability": 0.1}
    promising = replace(three, cards=CARDS | {"bendy": CARDS["bendy"] | {"sure": sure}})
    assert promises.kept(three) == {}
    ((name, found),) = promises.kept(promising).items()
    assert (name, found["error_rate"], found["cells"]) == ("bendy", 0.3, 12)
    kept, at_five = 0, []
    for cell, correct in zip(three.results.cells, three.results.correct, strict=True):
        wrong = [not right for right, sure in zip(correct[2], cell.is_sure[2], strict=True) if sure]
        kept += cell.severity > 0 and sum(wrong) / len(wrong) <= 0.3
        at_five += wrong if cell.severity == 5 else []
    assert 0 < found["sure_kept"] == kept < 12
    # By construction, 3 of 20 sets don't have the true digit, of any three digits.
    assert found["covered_kept"] == 12
    last = found["by_severity"][-1]
    assert (last["severity"], last["sure"], last["set_size"]) == (5, 0.7, 3)
    assert last["wrong"] == pytest.approx(sum(at_five) / len(at_five))
    assert last["not_covered"] == pytest.approx(0.15)


def test_scores_on_other_corrupted_data_sets():
    digits = Digits(np.zeros((50, 28, 28), np.uint8), np.tile(np.arange(5, dtype=np.uint8), 10))
    scores = analysis.score_all(
        [Answering("right", digits.labels), Answering("fours", np.full(50, 4))],
        digits,
    )
    for name, right in (("right", 50), ("fours", 10)):
        low, high = proportion_confint(right, 50, method="wilson")
        assert scores[name] == pytest.approx({"value": right / 50, "low": low, "high": high})
