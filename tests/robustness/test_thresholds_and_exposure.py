"""The severity at which accuracy falls below a threshold, and which corruptions a model has seen in training."""

from collections.abc import Sequence

import numpy as np
import pytest

from digits import paths
from digits.checkpoints import cards
from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.robustness import analysis
from tests.robustness.sweeps import KINDS, RIGHT, sweep_of


def one_model(kind: str, severities: Sequence[int], counts: Sequence[int], total: int = 100) -> analysis.Robustness:
    """One model with these counts of correct answers: clean, then at each severity of one corruption."""
    cells = [("clean", 0), *((kind, severity) for severity in severities)]
    correct = {cell: np.arange(total)[None] < count for cell, count in zip(cells, counts, strict=True)}
    return analysis.Robustness(sweep_of(["one"], [kind], severities, correct), {"one": {}}, "one")


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


def test_thresholds_are_indexed_by_corruption_and_model(three):
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
        assert analysis.exposure({"recipe": {"epochs": 3}, "base": {"name": "mnist_cnn"}}, corruption) == "unknown"


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


def test_exposures_are_indexed_by_model_and_corruption(three):
    assert three.exposures.tolist() == [
        ["seen", "unseen", "unseen", "unseen"],
        ["unseen", "unseen", "unseen", "unseen"],
        ["unseen", "seen", "related", "unseen"],
    ]
