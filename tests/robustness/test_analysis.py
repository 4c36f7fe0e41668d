"""What a sweep says of its models: sweeps with chosen answers, and every figure again by counting in plain loops."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from digits import paths
from digits.checkpoints import cards
from digits.corruptions import CORRUPTIONS, SEVERITIES, select
from digits.data import Digits
from digits.metrics import intervals
from digits.robustness import analysis, sweep
from digits.robustness import plan as sweep_plan

NAMES = ("noisy", "plain", "bendy")
KINDS = ("gaussian_noise", "scale", "fog", "stripe")
IMAGES = 200
# How many of the images each model gets right. `noisy` is best when clean, `bendy` under damage.
RIGHT = {
    ("clean", 0): (198, 180, 192),
    ("gaussian_noise", 1): (196, 160, 186),
    ("gaussian_noise", 3): (190, 120, 150),
    ("gaussian_noise", 5): (180, 80, 100),
    ("scale", 1): (192, 150, 190),
    ("scale", 3): (150, 110, 180),
    ("scale", 5): (90, 50, 160),
    ("fog", 1): (198, 176, 197),
    ("fog", 3): (110, 90, 170),
    ("fog", 5): (40, 60, 120),
    ("stripe", 1): (180, 140, 191),
    ("stripe", 3): (160, 100, 158),
    ("stripe", 5): (150, 80, 100),
}
DAMAGED = [cell for cell in RIGHT if cell[1]]
CARDS = {
    "noisy": {"recipe": {"augmentation_strengths": {"noise": 20, "scale": 0, "contrast": 0}}},
    "plain": {"recipe": {"digits": 55_000}},
    "bendy": {"recipe": {"augmentation_strengths": {"noise": 0, "scale": 0.1, "contrast": 0.5}}},
}
UNSEEN = {"noisy": ("scale", "fog", "stripe"), "plain": KINDS, "bendy": ("gaussian_noise", "stripe")}
UNSEEN_BY_ALL = ("stripe",)


def sweep_of(
    names: Sequence[str], kinds: Sequence[str], severities: Sequence[int], correct: dict[tuple[str, int], np.ndarray]
) -> sweep.Results:
    """A finished sweep in which `correct`, bool (models, N) for each cell, is what the models got right."""
    count = correct["clean", 0].shape[1]
    labels = (np.arange(count) % 10).astype(np.uint8)
    plan = sweep_plan.Plan(
        digits=Digits(np.zeros((count, 28, 28), np.uint8), labels),
        indices=np.arange(count),
        source="made by hand",
        models=tuple(sweep_plan.Model(name, f"{name}.onnx", "0" * 64) for name in names),
        corruptions=select(kinds),
        severities=tuple(severities),
        seed=3,
    )
    by_model = np.arange(len(names), dtype=float)
    cells = [
        sweep.Cell(
            corruption=kind,
            severity=severity,
            images_sha256="0" * 64,
            seconds=np.array([9, *by_model]),
            answers=np.where(correct[kind, severity], labels, (labels + 1) % 10).astype(np.uint8),
            confidence=np.full((len(names), count), 0.5, np.float16) + by_model[:, None].astype(np.float16) / 8,
            mean_confidence=by_model + 10,
            nll=by_model + 20,
            brier=by_model + 30,
            ece=by_model + 40,
        )
        for kind, severity in plan.cells()
    ]
    return sweep.Results(plan, cells)


def one_model(kind: str, severities: Sequence[int], counts: Sequence[int], total: int = 100) -> analysis.Robustness:
    """One model that gets so many of the images right: clean, then at each severity of one corruption."""
    cells = [("clean", 0), *((kind, severity) for severity in severities)]
    correct = {cell: np.arange(total)[None] < count for cell, count in zip(cells, counts, strict=True)}
    return analysis.Robustness(sweep_of(["one"], [kind], severities, correct), {"one": {}}, "one")


def mean_right(kinds: Sequence[str], model: int) -> float:
    found = [RIGHT[kind, severity][model] / IMAGES for kind, severity in DAMAGED if kind in kinds]
    return sum(found) / len(found)


def holm_by_hand(p_values: Sequence[float]) -> list[float]:
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, (len(p_values) - rank) * p_values[place])
        adjusted[place] = min(1.0, largest)
    return adjusted


@pytest.fixture(scope="module")
def correct() -> dict[tuple[str, int], np.ndarray]:
    """What the three models got right, bool (3, 200) for each cell, with the counts of `RIGHT`."""
    rng = np.random.default_rng(5)
    return {cell: np.stack([rng.permutation(IMAGES) < count for count in counts]) for cell, counts in RIGHT.items()}


@pytest.fixture(scope="module")
def three(correct) -> analysis.Robustness:
    return analysis.Robustness(sweep_of(NAMES, KINDS, (1, 3, 5), correct), CARDS, "plain")


@pytest.fixture(scope="module")
def compared(correct) -> list[tuple]:
    """Every pair's (a, b, cell, only a, only b, McNemar's p), from tables counted here."""
    rows = []
    for a, b in combinations(range(3), 2):
        for cell, (*each,) in correct.items():
            only_a = sum(x and not y for x, y in zip(each[a], each[b], strict=True))
            only_b = sum(y and not x for x, y in zip(each[a], each[b], strict=True))
            p = mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue
            rows.append((a, b, cell, only_a, only_b, p))
    return rows


def test_curves_begin_clean_and_follow_the_table(three):
    assert three.names == list(NAMES)
    assert three.positions.tolist() == [0, 1, 3, 5]
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


def test_damage_that_changes_no_answer_adds_no_certainty(correct):
    cells = [("clean", 0), *((kind, severity) for kind in KINDS for severity in (1, 2))]
    same = dict.fromkeys(cells, correct["scale", 3])
    found = analysis.Robustness(sweep_of(NAMES, KINDS, (1, 2), same), CARDS, "plain")
    for row in found.headline():
        for name in ("value", "low", "high"):
            assert getattr(row["all"], name) == pytest.approx(getattr(row["clean"], name), abs=1e-6)


def test_nothing_is_said_of_unseen_damage_where_a_card_is_missing(three):
    found = replace(three, cards=CARDS | {"bendy": {}})
    noisy, _, bendy = found.headline()
    assert noisy["unseen"].value == pytest.approx(mean_right(UNSEEN["noisy"], 0))
    assert (bendy["unseen"], bendy["unseen_count"]) == (None, 0)
    for row in found.headline():
        assert (row["unseen_by_all"], row["unseen_by_all_count"]) == (None, 0)


@pytest.fixture(scope="module")
def all_damage() -> dict[tuple[str, int], np.ndarray]:
    """Two models' answers to ten images under everything."""
    rng = np.random.default_rng(6)
    cells = [("clean", 0), *((kind, severity) for kind in CORRUPTIONS for severity in SEVERITIES)]
    return {cell: rng.random((2, 10)) < 0.8 for cell in cells}


def test_mnist_c_mean_takes_each_of_the_fifteen_at_its_level(all_damage):
    found = analysis.Robustness(
        sweep_of(["a", "b"], list(CORRUPTIONS), SEVERITIES, all_damage), {"a": {}, "b": {}}, "a"
    )
    levels = {each.name: each.mnist_c for each in CORRUPTIONS.values() if each.mnist_c is not None}
    assert len(levels) == 15
    for model, row in enumerate(found.headline()):
        images = np.mean([all_damage[cell][model] for cell in levels.items()], axis=0)
        assert row["mnist_c"].value == pytest.approx(images.mean())
        deviation = images.std() / np.sqrt(10)
        assert row["mnist_c"].low == pytest.approx(images.mean() - 1.96 * deviation, abs=deviation)
        assert row["mnist_c"].high == pytest.approx(images.mean() + 1.96 * deviation, abs=deviation)


@pytest.mark.parametrize(
    ("left_out", "severities"), [("fog", (1, 2, 3, 4, 5)), ("jpeg", (2, 3, 4)), ("jpeg", (3, 4, 5))]
)
def test_mnist_c_mean_needs_all_fifteen_levels(all_damage, left_out, severities):
    kinds = [kind for kind in CORRUPTIONS if kind != left_out]
    found = analysis.Robustness(sweep_of(["a", "b"], kinds, severities, all_damage), {"a": {}, "b": {}}, "a")
    assert [row["mnist_c"] for row in found.headline()] == [None, None]


def test_mnist_c_mean_needs_no_other_corruption_or_severity(all_damage):
    kinds = [each.name for each in CORRUPTIONS.values() if each.mnist_c]
    found = analysis.Robustness(sweep_of(["a", "b"], kinds, (2, 3, 4, 5), all_damage), {"a": {}, "b": {}}, "a")
    expected = np.mean([all_damage[kind, CORRUPTIONS[kind].mnist_c] for kind in kinds], axis=(0, 2))
    assert [row["mnist_c"].value for row in found.headline()] == pytest.approx(expected)


@pytest.mark.parametrize("baseline", NAMES)
@pytest.mark.parametrize("measure", ["mce", "relative_mce"])
def test_corruption_errors_are_sums_of_mistakes_over_those_of_the_baseline(three, baseline, measure):
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


def test_a_models_twin_differs_from_it_in_no_replicate(correct):
    twins = {cell: each[[0, 2, 0]] for cell, each in correct.items()}
    results = sweep_of(["one", "other", "twin"], KINDS, (1, 3, 5), twins)
    found = analysis.Robustness(results, {"one": {}, "other": {}, "twin": {}}, "one")
    twin = found.headline()[2]
    for measure in ("mce", "relative_mce"):
        for estimate in twin[measure].values():
            assert (estimate.low, estimate.value, estimate.high) == (1, 1, 1)
    for row in found.comparisons:
        if (row["a"], row["b"]) == ("one", "twin"):
            assert (row["difference_low"], row["difference"], row["difference_high"]) == (0, 0, 0)
            assert row["mcnemar_p"] == row["holm_p"] == 1
    duel = found.duels()[1]
    assert (duel["a"], duel["b"], duel["difference"]) == ("one", "twin", intervals.Estimate(0, 0, 0))


@pytest.mark.parametrize("wrong", [0, 1, 5])
def test_corruption_errors_to_a_baseline_that_hardly_errs(wrong):
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


# Right answers of 100, clean and at the severities; the severity and the amount at which they fall below 95.
THRESHOLDS = {
    "shrunk": ("scale", SEVERITIES, (100, 98, 96, 92, 80, 60), 2.25, 77.5),
    "shrunk a little": ("scale", SEVERITIES, (100, 90, 80, 70, 60, 50), 0.5, 95),
    "shrunk with gaps": ("scale", (1, 3, 5), (100, 100, 90, 80), 2, 80),
    "shrunk to the last": ("scale", (1, 3, 5), (100, 100, 99, 91), 4, 60),
    "shrunk, below when clean": ("scale", SEVERITIES, (94, 96, 80, 70, 60, 50), 0, 100),
    "shrunk, holds": ("scale", SEVERITIES, (100, 99, 98, 97, 96, 95), None, None),
    "noise": ("gaussian_noise", SEVERITIES, (99, 97, 93, 80, 70, 60), 1.5, 30),
    "photons": ("shot_noise", SEVERITIES, (100, 98, 92, 80, 70, 60), 1.5, 42.5),
    "many photons": ("shot_noise", SEVERITIES, (100, 90, 80, 70, 60, 50), 0.5, 120),
    "photons, below when clean": ("shot_noise", SEVERITIES, (90, 80, 80, 70, 60, 50), 0, None),
    "photons, holds": ("shot_noise", SEVERITIES, (100,) * 6, None, None),
}


@pytest.mark.parametrize(("kind", "severities", "counts", "severity", "amount"), THRESHOLDS.values(), ids=THRESHOLDS)
def test_thresholds_in_severities_and_in_units(kind, severities, counts, severity, amount):
    ((threshold,),) = one_model(kind, severities, counts).thresholds
    assert threshold.severity == pytest.approx(np.inf if severity is None else severity)
    assert threshold.low <= threshold.severity <= threshold.high
    found = threshold.as_dict()
    assert found["severity"][0] == (None if severity is None else pytest.approx(severity))
    assert found["amount"][0] == (None if amount is None else pytest.approx(amount))


@pytest.mark.parametrize(
    ("kind", "counts", "severity", "amount"),
    [
        ("scale", (100,) * 6, None, None),
        ("scale", (50,) * 6, 0, 100),
        ("gaussian_noise", (50,) * 6, 0, 0),
        ("shot_noise", (50,) * 6, 0, None),
    ],
)
def test_thresholds_that_no_draw_of_images_would_change(kind, counts, severity, amount):
    ((threshold,),) = one_model(kind, SEVERITIES, counts).thresholds
    assert threshold.as_dict() == {"severity": [severity] * 3, "amount": [amount] * 3}


def test_threshold_interval_agrees_with_a_bootstrap_in_loops(rng):
    cells = [("clean", 0), *(("scale", severity) for severity in SEVERITIES)]
    right = {
        cell: rng.permutation(500)[None] < count
        for cell, count in zip(cells, (498, 496, 485, 440, 380, 200), strict=True)
    }
    found = analysis.Robustness(sweep_of(["one"], ["scale"], SEVERITIES, right), {"one": {}}, "one")
    ((threshold,),) = found.thresholds

    crossings = []
    for _ in range(1000):
        drawn = rng.integers(500, size=500)
        curve = [right[cell][0, drawn].mean() for cell in cells]
        fallen = next(place for place in range(6) if curve[place] < 0.95)
        step = curve[fallen - 1] - curve[fallen]
        crossings.append(fallen - 1 + (curve[fallen - 1] - 0.95) / step)
    assert threshold.low == pytest.approx(sorted(crossings)[25], abs=0.05)
    assert threshold.high == pytest.approx(sorted(crossings)[974], abs=0.05)
    assert threshold.high - threshold.low > 0.3


def test_thresholds_stand_by_corruption_and_model(three):
    for kind, row in zip(KINDS, three.thresholds, strict=True):
        for model, threshold in enumerate(row):
            counts = [RIGHT["clean", 0][model], *(RIGHT[kind, severity][model] for severity in (1, 3, 5))]
            fallen = next(place for place in range(4) if counts[place] < 190)
            expected = 0.0
            if fallen:
                left, right = (0, 1, 3, 5)[fallen - 1], (0, 1, 3, 5)[fallen]
                expected = left + (right - left) * (counts[fallen - 1] - 190) / (counts[fallen - 1] - counts[fallen])
            assert threshold.severity == pytest.approx(expected)
            assert threshold.corruption is CORRUPTIONS[kind]


@pytest.mark.parametrize(
    ("kind", "severity", "amount"),
    [
        *(("scale", severity, amount) for severity, amount in enumerate((100, 90, 80, 70, 60, 50))),
        *(("shot_noise", severity, amount) for severity, amount in enumerate((np.inf, 60, 25, 12, 5, 3))),
        ("scale", 0.25, 97.5),
        ("scale", 4.5, 55),
        ("shot_noise", 0.1, 600),
        ("shot_noise", 0.99, 60 / 0.99),
        ("shot_noise", 1.5, 42.5),
        ("rotate", 1.5, 16.45),
        ("gaussian_noise", 0.5, 10),
        ("downsampling", 0.5, 24),
    ],
)
def test_amounts_at_and_between_severities(kind, severity, amount):
    assert CORRUPTIONS[kind].amount(severity) == pytest.approx(amount)


@pytest.mark.parametrize(
    ("strengths", "kind", "expected"),
    [
        ({"rotation": 12}, "rotate", "seen"),
        ({"rotation": 0, "noise": 5}, "rotate", "unseen"),
        ({"noise": 5}, "shot_noise", "related"),
        ({"noise": 0}, "shot_noise", "unseen"),
        ({"noise": 5}, "jpeg", "related"),
        ({"blur": 5}, "jpeg", "related"),
        ({"blur": 5, "noise": 5}, "gaussian_blur", "seen"),
        ({"rotation": 1, "noise": 1, "cutout": 1, "contrast": 1}, "stripe", "unseen"),
        ({}, "rotate", "unseen"),
    ],
)
def test_exposure_follows_the_augmentation(strengths, kind, expected):
    card = {"recipe": {"augmentation_strengths": strengths}}
    assert analysis.exposure(card, CORRUPTIONS[kind]) == expected


def test_exposure_of_models_without_augmentation_or_card():
    for corruption in CORRUPTIONS.values():
        assert analysis.exposure({"recipe": {"digits": 55_000}}, corruption) == "unseen"
        assert analysis.exposure({}, corruption) == "unknown"


@pytest.mark.parametrize(
    ("model", "kind", "expected"),
    [
        ("mnist_cnn", "rotate", "seen"),
        ("mnist_cnn", "translate", "seen"),
        ("mnist_cnn", "fog", "unseen"),
        ("mnist_cnn", "gaussian_noise", "unseen"),
        ("mnist_advanced", "gaussian_noise", "seen"),
        ("mnist_advanced", "impulse_noise", "related"),
        ("mnist_advanced", "stripe", "related"),
        ("mnist_logistic", "rotate", "unseen"),
    ],
)
def test_exposure_of_the_shipped_models(model, kind, expected):
    card = cards.read(paths.MODELS / f"{model}.json")
    assert analysis.exposure(card, CORRUPTIONS[kind]) == expected


def test_exposures_stand_by_model_and_corruption(three):
    assert three.exposures.tolist() == [
        ["seen", "unseen", "unseen", "unseen"],
        ["unseen", "unseen", "unseen", "unseen"],
        ["unseen", "seen", "related", "unseen"],
    ]


def test_comparisons_are_mcnemars_and_holms(three, compared):
    assert len(three.comparisons) == 3 * 13
    adjusted = holm_by_hand([row[-1] for row in compared])
    for row, (a, b, cell, only_a, only_b, p), holm_p in zip(three.comparisons, compared, adjusted, strict=True):
        assert (row["a"], row["b"]) == (NAMES[a], NAMES[b])
        assert (row["corruption"], row["severity"]) == cell
        assert (row["only_a_right"], row["only_b_right"]) == (only_a, only_b)
        assert row["difference"] == pytest.approx((RIGHT[cell][a] - RIGHT[cell][b]) / IMAGES)
        assert row["mcnemar_p"] == pytest.approx(p, abs=1e-12)
        assert row["holm_p"] == pytest.approx(holm_p, abs=1e-12)
        assert row["holm_p"] >= row["mcnemar_p"]
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]


def test_comparisons_intervals_agree_with_those_of_paired_proportions(three, correct):
    for row in three.comparisons:
        a, b = (correct[row["corruption"], row["severity"]][NAMES.index(row[side])] for side in "ab")
        low, high = intervals.compare_paired(a, b).interval
        # Agresti and Min's half images move the bounds by an image or so, the bootstrap by as much again.
        assert row["difference_low"] == pytest.approx(low, abs=0.015)
        assert row["difference_high"] == pytest.approx(high, abs=0.015)


def test_duels_count_the_cells_that_are_sure(three, correct, compared):
    adjusted = holm_by_hand([row[-1] for row in compared])
    duels = three.duels()
    assert [(duel["a"], duel["b"]) for duel in duels] == [("noisy", "plain"), ("noisy", "bendy"), ("plain", "bendy")]
    for duel in duels:
        a, b = NAMES.index(duel["a"]), NAMES.index(duel["b"])
        wins = {a: 0, b: 0}
        for (one, other, cell, only_a, only_b, _), p in zip(compared, adjusted, strict=True):
            if (one, other) == (a, b) and cell != ("clean", 0) and p < 0.05:
                wins[a if only_a > only_b else b] += 1
        assert (duel["a_better"], duel["b_better"]) == (wins[a], wins[b])

        images = np.mean([correct[cell][a].astype(float) - correct[cell][b] for cell in DAMAGED], axis=0)
        deviation = images.std() / np.sqrt(IMAGES)
        assert duel["difference"].value == pytest.approx(mean_right(KINDS, a) - mean_right(KINDS, b))
        assert duel["difference"].low == pytest.approx(images.mean() - 1.96 * deviation, abs=0.4 * deviation)
        assert duel["difference"].high == pytest.approx(images.mean() + 1.96 * deviation, abs=0.4 * deviation)
    assert duels[1]["a_better"] > 0
    assert duels[1]["b_better"] > 0
    # They differ when clean too, which is no damage.
    assert compared[0][-1] < 1e-3


@pytest.fixture(scope="module")
def surprising() -> analysis.Robustness:
    """One model and six images: the last is misread even when clean."""
    wrong = {
        ("clean", 0): {5: 0.9},
        ("rotate", 1): {0: 0.6, 1: 0.9, 2: 0.8, 5: 0.99},
        ("rotate", 3): {0: 0.95, 5: 0.9},
        ("fog", 1): {3: 0.7, 5: 0.9},
        ("fog", 3): {4: 0.5},
    }
    correct = {cell: np.array([[place not in places for place in range(6)]]) for cell, places in wrong.items()}
    results = sweep_of(["one"], ["rotate", "fog"], (1, 3), correct)
    cells = []
    for cell in results.cells:
        confidence = np.full((1, 6), 0.999, np.float16)
        for place, value in wrong[cell.corruption, cell.severity].items():
            confidence[0, place] = value
        cells.append(replace(cell, confidence=confidence))
    return analysis.Robustness(sweep.Results(results.plan, cells), {"one": {}}, "one")


@pytest.mark.parametrize(
    ("count", "a_corruption", "expected"),
    [
        (9, 2, [("rotate", 1, 1), ("rotate", 1, 2), ("fog", 1, 3), ("rotate", 3, 0), ("fog", 3, 4)]),
        (9, 1, [("rotate", 1, 1), ("fog", 1, 3), ("rotate", 3, 0), ("fog", 3, 4)]),
        (
            *(9, 3),
            [("rotate", 1, 1), ("rotate", 1, 2), ("fog", 1, 3), ("rotate", 1, 0), ("rotate", 3, 0), ("fog", 3, 4)],
        ),
        (3, 2, [("rotate", 1, 1), ("rotate", 1, 2), ("fog", 1, 3)]),
        (0, 2, []),
    ],
)
def test_surprises_are_mild_then_confident(surprising, count, a_corruption, expected):
    found = surprising.surprises(0, count, a_corruption)
    assert [(one["corruption"], one["severity"], one["place"]) for one in found] == expected


def test_surprises_say_what_was_answered(surprising):
    first = surprising.surprises(0, 1)[0]
    assert (first["label"], first["answer"]) == (1, 2)
    assert first["confidence"] == pytest.approx(0.9, abs=1e-3)


def test_surprises_of_each_model_were_right_when_clean(three, correct):
    for model in range(3):
        found = three.surprises(model, 1000)
        # Of each of the twelve cells, two.
        assert len(found) == 24
        for one in found:
            assert correct["clean", 0][model, one["place"]]
            assert not correct[one["corruption"], one["severity"]][model, one["place"]]
        assert [one["severity"] for one in found] == [1] * 8 + [3] * 8 + [5] * 8


def test_baseline_is_the_one_wanted_or_logistic_regression_or_the_first(three):
    plan = three.results.plan
    assert analysis.choose_baseline(plan) == "noisy"
    assert analysis.choose_baseline(plan, "bendy") == "bendy"
    logistic = replace(plan, models=(*plan.models, sweep_plan.Model("mnist_logistic", "", "")))
    assert analysis.choose_baseline(logistic) == "mnist_logistic"
    assert analysis.choose_baseline(logistic, "plain") == "plain"
    with pytest.raises(ValueError, match="nobody is not among the models: noisy, plain, bendy"):
        analysis.choose_baseline(plan, "nobody")


def test_best_first_is_by_mean_accuracy_under_damage(three):
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


def test_the_order_of_the_models_changes_no_figure(three):
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


def test_scores_on_sets_damaged_elsewhere():
    digits = Digits(np.zeros((50, 28, 28), np.uint8), np.tile(np.arange(5, dtype=np.uint8), 10))
    scores = analysis.score_all(
        [Answering("right", digits.labels), Answering("fours", np.full(50, 4))],
        digits,
    )
    for name, right in (("right", 50), ("fours", 10)):
        low, high = proportion_confint(right, 50, method="wilson")
        assert scores[name] == pytest.approx({"value": right / 50, "low": low, "high": high})
