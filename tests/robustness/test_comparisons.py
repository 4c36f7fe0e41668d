"""Pairwise comparisons and surprising errors, by counting."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from digits.metrics import intervals
from digits.robustness import analysis, sweep
from tests.robustness.sweeps import DAMAGED, IMAGES, KINDS, NAMES, RIGHT, mean_right, sweep_of


def holm_by_hand(p_values: Sequence[float]) -> list[float]:
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, (len(p_values) - rank) * p_values[place])
        adjusted[place] = min(1.0, largest)
    return adjusted


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


def test_comparisons_are_mcnemars_and_holms(three, compared):
    assert len(three.cell_comparisons) == 3 * 13
    adjusted = holm_by_hand([row[-1] for row in compared])
    for row, (a, b, cell, only_a, only_b, p), holm_p in zip(three.cell_comparisons, compared, adjusted, strict=True):
        assert (row["a"], row["b"]) == (NAMES[a], NAMES[b])
        assert (row["corruption"], row["severity"]) == cell
        assert (row["only_a_right"], row["only_b_right"]) == (only_a, only_b)
        assert row["difference"] == pytest.approx((RIGHT[cell][a] - RIGHT[cell][b]) / IMAGES)
        assert row["mcnemar_p"] == pytest.approx(p, abs=1e-12)
        assert row["holm_p"] == pytest.approx(holm_p, abs=1e-12)
        assert row["holm_p"] >= row["mcnemar_p"]
        assert row["difference_low"] <= row["difference"] <= row["difference_high"]


def test_comparisons_intervals_agree_with_those_of_paired_proportions(three, correct):
    for row in three.cell_comparisons:
        a, b = (correct[row["corruption"], row["severity"]][NAMES.index(row[side])] for side in "ab")
        low, high = intervals.compare_paired(a, b).interval
        # Agresti and Min's half images move the bounds by an image or so, the bootstrap by as much again.
        assert row["difference_low"] == pytest.approx(low, abs=0.015)
        assert row["difference_high"] == pytest.approx(high, abs=0.015)


def test_pairwise_comparisons_count_the_cells_in_which_one_is_clearly_better(three, correct, compared):
    adjusted = holm_by_hand([row[-1] for row in compared])
    comparisons = three.pairwise_comparisons()
    pairs = [("noisy", "plain"), ("noisy", "bendy"), ("plain", "bendy")]
    assert [(comparison["a"], comparison["b"]) for comparison in comparisons] == pairs
    for comparison in comparisons:
        a, b = NAMES.index(comparison["a"]), NAMES.index(comparison["b"])
        wins = {a: 0, b: 0}
        for (one, other, cell, only_a, only_b, _), p in zip(compared, adjusted, strict=True):
            if (one, other) == (a, b) and cell != ("clean", 0) and p < 0.05:
                wins[a if only_a > only_b else b] += 1
        assert (comparison["a_better"], comparison["b_better"]) == (wins[a], wins[b])

        images = np.mean([correct[cell][a].astype(float) - correct[cell][b] for cell in DAMAGED], axis=0)
        deviation = images.std() / np.sqrt(IMAGES)
        assert comparison["difference"].value == pytest.approx(mean_right(KINDS, a) - mean_right(KINDS, b))
        assert comparison["difference"].low == pytest.approx(images.mean() - 1.96 * deviation, abs=0.4 * deviation)
        assert comparison["difference"].high == pytest.approx(images.mean() + 1.96 * deviation, abs=0.4 * deviation)
    assert comparisons[1]["a_better"] > 0
    assert comparisons[1]["b_better"] > 0
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
    ("count", "per_cell", "expected"),
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
def test_surprising_errors_are_mild_then_confident(surprising, count, per_cell, expected):
    found = surprising.surprising_errors(0, count, per_cell)
    assert [(one["corruption"], one["severity"], one["index"]) for one in found] == expected


def test_surprising_errors_say_what_was_answered(surprising):
    first = surprising.surprising_errors(0, 1)[0]
    assert (first["label"], first["answer"]) == (1, 2)
    assert first["confidence"] == pytest.approx(0.9, abs=1e-3)


def test_surprising_errors_of_each_model_were_right_when_clean(three, correct):
    for model in range(3):
        found = three.surprising_errors(model, 1000)
        # Of each of the twelve cells, two.
        assert len(found) == 24
        for one in found:
            assert correct["clean", 0][model, one["index"]]
            assert not correct[one["corruption"], one["severity"]][model, one["index"]]
        assert [one["severity"] for one in found] == [1] * 8 + [3] * 8 + [5] * 8
