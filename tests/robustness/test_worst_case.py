"""Worst cases against other libraries, brute force and models whose answers are known."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pytest
from skimage import transform
from statsmodels.stats.proportion import proportion_confint

from digits.checkpoints import recognizer
from digits.corruptions import CORRUPTIONS, SEVERITIES, select
from digits.corruptions.geometry import rotate_and_translate
from digits.data import Digits
from digits.robustness import plan as sweep_plan
from digits.robustness import worst_case

FEW_POSITIONS = ((0.0, 0.0, 0.0), (-20.0, 0.0, 0.0), (30.0, 3.0, -1.5), (0.0, 0.0, 3.0), (14.0, -3.0, 0.0))


@dataclass
class Told:
    """A model that answers as `rule` tells it from the images, and remembers what it was shown."""

    rule: Callable[[np.ndarray], np.ndarray]
    name: str = "told"
    shown: list[np.ndarray] = field(default_factory=list)

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8
        self.shown.append(images.copy())
        return np.eye(10, dtype=np.float32)[self.rule(images)]


@pytest.fixture(scope="module")
def fifty(some_digits) -> Digits:
    return some_digits.first(50)


@pytest.fixture(scope="module")
def cnn() -> recognizer.Recognizer:
    return recognizer.load("mnist_cnn")


@pytest.fixture
def few_positions(monkeypatch) -> tuple:
    """The first position is the page as it is."""
    monkeypatch.setattr(worst_case, "GRID", FEW_POSITIONS)
    return FEW_POSITIONS


@pytest.mark.parametrize(
    ("degrees", "right", "down"),
    [(30, 0, 0), (-18, 0, 0), (0, 1.5, 0), (0, -3, 1.5), (25, 2, -1.5), (-30, -3, 3), (90, 4, 1)],
)
def test_rotate_and_translate_agrees_with_scikit_image(fifty, degrees, right, down):
    # With rows going down, a positive rotation of the plane is clockwise. The page turns first.
    forward = (
        transform.EuclideanTransform(translation=(-13.5, -13.5))
        + transform.EuclideanTransform(rotation=np.deg2rad(degrees))
        + transform.EuclideanTransform(translation=(13.5 + right, 13.5 + down))
    )
    moved = rotate_and_translate(fifty.images, degrees, right, down)
    assert moved.dtype == np.uint8
    for image, ours in zip(fifty.images, moved, strict=True):
        theirs = transform.warp(image, forward.inverse, order=1, preserve_range=True)
        # Rounded to a grey level, give or take one.
        assert np.abs(ours - theirs).mean() < 0.2
        assert np.abs(ours - theirs).max() < 1.51


def test_rotations_are_clockwise_and_translations_go_right_and_down(fifty):
    np.testing.assert_array_equal(rotate_and_translate(fifty.images, 90, 0, 0), np.rot90(fifty.images, -1, axes=(1, 2)))
    shifted = rotate_and_translate(fifty.images, 0, 2, 3)
    np.testing.assert_array_equal(shifted[:, 3:, 2:], fifty.images[:, :-3, :-2])
    assert not shifted[:, :3].any()
    assert not shifted[:, :, :2].any()
    # Up and to the left, after a quarter turn.
    turned = np.rot90(fifty.images, -1, axes=(1, 2))
    np.testing.assert_array_equal(rotate_and_translate(fifty.images, 90, -1, -4)[:, :-4, :-1], turned[:, 4:, 1:])


def test_no_rotation_and_no_translation_change_nothing(fifty):
    before = fifty.images.copy()
    moved = rotate_and_translate(fifty.images, 0, 0, 0)
    np.testing.assert_array_equal(moved, before)
    assert not np.shares_memory(moved, fifty.images)
    rotate_and_translate(fifty.images, 20, 1, 1)
    np.testing.assert_array_equal(fifty.images, before)


def test_grid_is_that_of_engstrom():
    assert len(worst_case.GRID) == len(set(worst_case.GRID)) == 775
    assert (0.0, 0.0, 0.0) in worst_case.GRID
    degrees, right, down = map(np.unique, zip(*worst_case.GRID, strict=True))
    np.testing.assert_allclose(degrees, np.arange(-30, 31, 2))
    for shifts in (right, down):
        np.testing.assert_allclose(shifts, [-3, -1.5, 0, 1.5, 3])


def test_a_model_that_is_always_correct(fifty, few_positions):
    model = Told(lambda images: fifty.labels)
    assert worst_case.correct_at_every_position(model, fifty).tolist() == [True] * 50
    assert [len(images) for images in model.shown] == [50] * 5
    for images, position in zip(model.shown, few_positions, strict=True):
        np.testing.assert_array_equal(images, rotate_and_translate(fifty.images, *position))


def test_a_model_that_always_answers_zero_is_correct_on_zeros_and_sees_the_others_once(fifty):
    model = Told(lambda images: np.zeros(len(images), int))
    right = worst_case.correct_at_every_position(model, fifty)
    np.testing.assert_array_equal(right, fifty.labels == 0)
    zeros = int((fifty.labels == 0).sum())
    assert 0 < zeros < 50
    assert [len(images) for images in model.shown] == [50, *[zeros] * 774]
    np.testing.assert_array_equal(model.shown[-1], rotate_and_translate(fifty.images[fifty.labels == 0], 30, 3, 3))


@pytest.mark.parametrize(("count", "shown", "standing"), [(8, [8, 7, 6, 5, 4], [5, 6, 7]), (3, [3, 2, 1, 0, 0], [])])
@pytest.mark.usefixtures("few_positions")
def test_misclassified_digits_are_not_shown_again(fifty, count, shown, standing):
    # At each position the first that is still shown is misread.
    digits = Digits(fifty.images[:count], np.full(count, 7, np.uint8))
    model = Told(lambda images: np.where(np.arange(len(images)) == 0, 1, 7))
    right = worst_case.correct_at_every_position(model, digits)
    assert [len(images) for images in model.shown] == shown
    assert np.flatnonzero(right).tolist() == standing


def test_a_real_model_against_every_single_position(fifty, cnn, few_positions):
    right = [
        all(
            cnn.predict_proba(rotate_and_translate(image[None], *position)).argmax() == label
            for position in few_positions
        )
        for image, label in zip(fifty.images, fifty.labels, strict=True)
    ]
    assert 0 < sum(right) < 50
    assert worst_case.correct_at_every_position(cnn, fifty).tolist() == right


@pytest.mark.usefixtures("few_positions")
def test_a_real_model_may_be_wrong_everywhere(fifty, cnn):
    wrong = Digits(fifty.images, (fifty.labels + 1) % 10)
    assert not worst_case.correct_at_every_position(cnn, wrong).any()


def damaged(images: np.ndarray, kind: str, severity: int, seed: int, indices: np.ndarray) -> np.ndarray:
    """Corrupted images as in a sweep, from the corruption itself."""
    return CORRUPTIONS[kind](images, severity, np.random.default_rng([seed, *kind.encode()]), indices)


def wilson(right: np.ndarray) -> dict[str, float]:
    low, high = proportion_confint(int(right.sum()), len(right), method="wilson")
    return {"value": right.mean(), "low": low, "high": high}


def test_pairs_are_two_corruptions_in_turn_at_severity_1(fifty):
    indices = np.arange(50) * 7 + 3
    kinds = ["gaussian_noise", "rotate", "occlusion", "low_contrast"]
    fours, ones = (Told(lambda images, answer=answer: np.full(len(images), answer)) for answer in (4, 1))
    seen = []

    def progress(names):
        seen.append(list(names))
        return names

    pairs = worst_case.evaluate_pairs([fours, ones], fifty, indices, kinds, 5, progress)
    assert list(pairs) == list(combinations(kinds, 2))
    assert seen == [list(pairs)]
    for correct in pairs.values():
        np.testing.assert_array_equal(correct, np.stack([fifty.labels == 4, fifty.labels == 1]))

    for (first, second), shown, also in zip(pairs, fours.shown, ones.shown, strict=True):
        expected = damaged(damaged(fifty.images, first, 1, 5, indices), second, 1, 5, indices)
        np.testing.assert_array_equal(shown, expected)
        np.testing.assert_array_equal(also, expected)
        other_way = damaged(damaged(fifty.images, second, 1, 5, indices), first, 1, 5, indices)
        assert not np.array_equal(shown, other_way)


def test_all_corruptions_of_one_picture(fifty):
    image = fifty.images[3]
    sheet = worst_case.all_corruptions(image, seed=9)
    assert sheet.shape == (len(CORRUPTIONS), 6, 28, 28)
    assert sheet.dtype == np.uint8
    for kind, row in zip(CORRUPTIONS, sheet, strict=True):
        np.testing.assert_array_equal(row[0], image)
        for severity in SEVERITIES:
            expected = damaged(image[None], kind, severity, 9, np.array([0]))[0]
            np.testing.assert_array_equal(row[severity], expected)


def test_probabilities_are_indexed_by_corruption_and_severity(fifty, cnn):
    sheet = worst_case.all_corruptions(fifty.images[0], seed=0)
    probabilities = worst_case.predict_corrupted(cnn, sheet)
    assert probabilities.shape == (len(CORRUPTIONS), 6, 10)
    for kind, severity in ((0, 0), (0, 5), (8, 2), (27, 4)):
        alone = cnn.predict_proba(sheet[kind, severity][None])[0]
        np.testing.assert_allclose(probabilities[kind, severity], alone, atol=1e-5)


def test_least_flipping_severity_is_the_first_with_another_answer_than_clean():
    # Answers to the clean picture and at severities 1 to 5; a digit that comes back has been lost all the same.
    answers = {
        "gaussian_noise": ((4, 4, 4, 4, 4, 4), None),
        "rotate": ((4, 4, 4, 9, 4, 9), 3),
        "fog": ((4, 1, 1, 1, 1, 1), 1),
        "stripe": ((4, 4, 4, 4, 4, 0), 5),
        "occlusion": ((4, 4, 7, 8, 9, 4), 2),
    }
    table = np.array([answers.get(kind, ((4,) * 6, None))[0] for kind in CORRUPTIONS])
    # What was answered has three tenths, a rival two.
    probabilities = np.full((len(CORRUPTIONS), 6, 10), 0.05)
    np.put_along_axis(probabilities, (table[..., None] + 1) % 10, 0.2, axis=2)
    np.put_along_axis(probabilities, table[..., None], 0.3, axis=2)
    flips = worst_case.least_flipping_severity(probabilities)
    assert list(flips) == list(CORRUPTIONS)
    assert flips == {kind: answers[kind][1] if kind in answers else None for kind in CORRUPTIONS}


@pytest.mark.slow
def test_measure_contains_the_results_of_its_parts(some_digits, cnn):
    # 20 of 40 digits that came from other places of a set.
    digits, indices = some_digits.first(40), np.arange(40) * 5 + 100
    kinds = ("shot_noise", "rotate", "faint_ink")
    plan = sweep_plan.Plan(digits, indices, "some", (), select(kinds), (1, 3), seed=11)
    models = [cnn, recognizer.load("mnist_logistic")]
    passed = []

    def progress(what):
        passed.append(len(what))
        return what

    measured = worst_case.measure(models, plan, 20, progress)
    assert passed == [2, 3]
    found = json.loads(json.dumps(measured))
    places = np.linspace(0, 39, 20).round().astype(int)
    images, labels = digits.images[places], digits.labels[places]

    assert found["images"] == 20
    positions = found["positions"]
    assert (positions["degrees"][0], positions["degrees"][-1], len(positions["degrees"])) == (-30, 30, 31)
    assert positions["pixels"] == [-3, -1.5, 0, 1.5, 3]
    assert positions["count"] == 775
    pairs = found["pairs"]
    assert pairs["severity"] == 1
    assert [(each["first"], each["then"]) for each in found["by_pair"]] == list(combinations(kinds, 2))
    for model in models:
        standing = np.ones(20, bool)
        for position in worst_case.GRID:
            standing &= model.predict_proba(rotate_and_translate(images, *position)).argmax(axis=1) == labels
        assert positions["models"][model.name] == pytest.approx(wilson(standing))

        right = {}
        for first, second in combinations(kinds, 2):
            shown = damaged(damaged(images, first, 1, 11, indices[places]), second, 1, 11, indices[places])
            right[first, second] = model.predict_proba(shown).argmax(axis=1) == labels
        accuracies = {pair: each.mean() for pair, each in right.items()}
        for each in found["by_pair"]:
            assert each[model.name] == pytest.approx(accuracies[each["first"], each["then"]])
        assert pairs["mean"][model.name] == pytest.approx(sum(accuracies.values()) / 3)
        worst = pairs["worst"][model.name]
        assert worst["accuracy"] == pytest.approx(min(accuracies.values()))
        assert accuracies[tuple(worst["pair"])] == min(accuracies.values())
        every = np.logical_and.reduce(list(right.values()))
        assert pairs["under_every_pair"][model.name] == pytest.approx(wilson(every))
    assert pairs["mean"]["mnist_cnn"] > pairs["mean"]["mnist_logistic"]


def test_measure_uses_no_more_digits_than_there_are(some_digits, few_positions):
    plan = sweep_plan.Plan(
        some_digits.first(12), np.arange(12), "few", (), select(["fog", "scale", "jpeg"]), (1,), seed=0
    )
    model = Told(lambda images: some_digits.labels[:12])
    found = worst_case.measure([model], plan, 1000, list)
    assert found["images"] == 12
    assert found["positions"]["count"] == len(few_positions)
    assert found["positions"]["models"]["told"]["value"] == 1
    assert found["pairs"]["worst"]["told"]["accuracy"] == found["pairs"]["mean"]["told"] == 1
    assert [len(images) for images in model.shown] == [12] * 8


def test_measure_finds_no_pairs_of_a_single_corruption(some_digits, few_positions):
    plan = sweep_plan.Plan(some_digits.first(12), np.arange(12), "few", (), select(["fog"]), (1,), seed=0)
    found = worst_case.measure([Told(lambda images: some_digits.labels[:12])], plan, 12, list)
    assert found["positions"]["models"]["told"]["value"] == 1
    assert not found["pairs"]
    assert not found["by_pair"]
