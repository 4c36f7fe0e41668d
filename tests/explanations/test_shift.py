"""How reasons move under damage: explainers whose maps are known, and every figure computed once more."""

from collections.abc import Callable

import numpy as np
import pytest

from digits.checkpoints import recognizer
from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.data import Digits
from digits.explanations import attribution, shift
from digits.explanations.attribution import Attribution
from digits.explanations.shift import Shift
from digits.images import to_input

GEOMETRY = ("rotate", "shear", "scale", "translate", "elastic")


@pytest.fixture(scope="module")
def digits(some_digits) -> Digits:
    return some_digits.first(12)


def explainer(draw: Callable[[np.ndarray], np.ndarray], asked: list | None = None) -> Callable:
    """An explainer with the maps that `draw` makes of images; it answers 3, and remembers what it was asked."""

    def explain(images: np.ndarray, classes: np.ndarray | None) -> Attribution:
        if asked is not None:
            asked.append((images.copy(), classes))
        logits = np.tile(np.where(np.arange(10) == 3, 2.0, 0.0), (len(images), 1))
        raw = draw(images).astype(np.float32)
        target = logits.argmax(axis=1) if classes is None else classes
        return Attribution("drawn", None, target, None, logits, raw, *attribution.normalise(raw))

    return explain


def correlations(first: np.ndarray, second: np.ndarray) -> list[float]:
    return [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(first, second, strict=True)]


@pytest.mark.parametrize("corruption", GEOMETRY)
def test_a_reason_that_stays_on_its_stroke_counts_as_the_same(corruption, digits):
    found = shift.measure(explainer(lambda images: images), digits, corruption)
    assert found.similarity.shape == (6, 12)
    assert found.similarity.min() > 0.999
    # Without moving the map along it would have seemed to change.
    assert np.mean(correlations(digits.images, found.images[5])) < 0.6


@pytest.mark.parametrize("corruption", GEOMETRY)
def test_a_reason_that_stays_on_the_page_while_the_digit_moves_does_not(corruption, digits):
    found = shift.measure(explainer(lambda images: digits.images), digits, corruption)
    means = found.similarity.mean(axis=1)
    assert means[0] > 0.999
    assert (np.diff(means) < 0).all()
    assert means[5] < 0.6
    np.testing.assert_allclose(found.similarity[4], correlations(found.images[4], digits.images), atol=1e-3)


@pytest.mark.parametrize("corruption", ["gaussian_noise", "thicker", "occlusion"])
def test_nothing_is_moved_along_where_the_page_stays(corruption, digits):
    found = shift.measure(explainer(lambda images: digits.images), digits, corruption)
    np.testing.assert_allclose(found.similarity, 1)
    found = shift.measure(explainer(lambda images: images), digits, corruption)
    for severity in SEVERITIES:
        expected = correlations(digits.images, found.images[severity])
        np.testing.assert_allclose(found.similarity[severity], expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
@pytest.mark.parametrize("corruption", ["rotate", "translate", "elastic"])
def test_maps_are_moved_with_their_signs_whatever_their_scale(corruption, scale, digits):
    """The map is one digit less another, both moved as the page is; moving by straight lines between pixels adds up."""
    others = np.roll(digits.images, 1, axis=0)
    severities = iter((0, *SEVERITIES))

    def draw(images: np.ndarray) -> np.ndarray:
        severity = next(severities)
        gains, losses = (
            CORRUPTIONS[corruption](each, severity, np.random.default_rng(4)).astype(float)
            for each in (digits.images, others)
        )
        return scale * (gains - losses)

    found = shift.measure(explainer(draw), digits, corruption, seed=4)
    assert found.similarity.min() > 0.999


def test_each_map_is_moved_on_its_own_scale(digits):
    strengths = 10.0 ** np.arange(-6, 6)[:, None, None]
    found = shift.measure(explainer(lambda images: strengths * images), digits, "rotate")
    assert found.similarity.min() > 0.999


@pytest.mark.parametrize("corruption", ["rotate", "fog"])
def test_a_map_that_says_nothing_is_like_none(corruption, digits):
    found = shift.measure(explainer(np.zeros_like), digits, corruption)
    assert not found.similarity.any()
    assert not found.heat.any()


@pytest.mark.parametrize("corruption", ["rotate", "zigzag"])
def test_coarse_maps_are_compared_at_the_images_size(corruption, digits):
    found = shift.measure(explainer(lambda images: images[:, ::4, ::4]), digits, corruption)
    assert found.heat.shape == (6, 12, 28, 28)
    assert found.similarity[0].min() > 0.999


def test_damaged_digits_are_asked_for_the_class_first_answered(digits):
    asked = []
    found = shift.measure(explainer(lambda images: images, asked), digits, "shear", seed=9)
    assert len(asked) == 6
    assert asked[0][1] is None
    assert all((classes == 3).all() for _, classes in asked[1:])
    for severity, (images, _) in enumerate(asked):
        expected = CORRUPTIONS["shear"](digits.images, severity, np.random.default_rng(9))
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(found.images[severity], expected)
    other = shift.measure(explainer(lambda images: images), digits, "shear", seed=10)
    assert not np.array_equal(other.images, found.images)


@pytest.mark.parametrize("corruption", ["zigzag", "rotate"])
def test_figures_are_those_of_the_model_asked_again(corruption, digits):
    model = recognizer.load("mnist_logistic")
    export = attribution.open_model(model, "occlusion")

    def explain(images: np.ndarray, classes: np.ndarray | None) -> Attribution:
        return attribution.explain(export, images, "occlusion", classes)

    before = digits.images.copy()
    found = shift.measure(explain, digits, corruption, seed=2)
    np.testing.assert_array_equal(digits.images, before)
    assert found.corruption == corruption
    clean = model.predict_proba(digits.images).argmax(axis=1)
    signed = explain(digits.images, clean).signed
    for severity in range(6):
        images = CORRUPTIONS[corruption](digits.images, severity, np.random.default_rng(2))
        probabilities = model.predict_proba(images)
        answers = probabilities.argmax(axis=1)
        assert found.correct[severity].tolist() == (answers == digits.labels).tolist()
        assert found.kept[severity].tolist() == (answers == clean).tolist()
        np.testing.assert_allclose(found.confidence[severity], probabilities.max(axis=1), atol=1e-5)
        again = explain(images, clean)
        np.testing.assert_allclose(found.heat[severity], again.heat, atol=1e-4)
        if corruption == "zigzag":
            np.testing.assert_allclose(found.similarity[severity], correlations(signed, again.signed), atol=1e-4)
    assert found.kept[0].all()
    np.testing.assert_array_equal(found.images[0], digits.images)
    np.testing.assert_allclose(found.similarity[0], 1, atol=1e-3)
    assert not found.kept.all()
    assert to_input(found.images[5]).max() <= 1


def test_most_changed_maps_are_of_correct_and_kept_digits():
    nothing = np.zeros((6, 5))
    rows = {
        "correct": [True, True, False, True, True],
        "kept": [True, True, True, False, True],
        "similarity": [0.5, -0.2, -1.0, -1.0, 0.1],
    }
    correct, kept, similarity = (np.tile(row, (6, 1)) for row in rows.values())
    similarity[3] = [0.1, 0.2, 0.3, 0.4, 0.1]
    correct[4] = False
    found = Shift("fog", correct, nothing, kept, similarity, nothing, nothing)
    assert found.most_changed_maps(2).tolist() == [1, 4, 0]
    assert found.most_changed_maps(3).tolist() == [0, 4, 1]
    assert found.most_changed_maps(4).tolist() == []
