"""Stress, without a browser: counts, colours and flips against direct computation, and the mixture of one's own."""

import itertools

import numpy as np
import pytest

from digits.checkpoints import recognizer
from digits.corruptions import CORRUPTIONS, geometry
from digits.robustness import worst_case
from panels import stress
from panels.stress import mix
from tests.app.apptest import Page, calibrated, cells, certainty, pixels, prepared, rows, words

SLIDERS = {"noise": 0, "blur": 0.0, "stroke": 0.0, "rotation": 0, "across": 0, "down": 0}


@pytest.fixture
def at(monkeypatch) -> Page:
    return Page(monkeypatch).show("Stress")


def corrupted_by_hand(image: np.ndarray) -> dict[tuple[str, int], np.ndarray]:
    """Every corruption at every severity, one image and one call each, as the sweep draws it."""
    return {
        (name, severity): corruption(image[None], severity, np.random.default_rng([0, *name.encode()]))[0]
        for name, corruption in CORRUPTIONS.items()
        for severity in range(6)
    }


@pytest.mark.parametrize("name", ["mnist_advanced", "mnist_logistic", "mnist_random_forest"])
@pytest.mark.parametrize("has_label", [True, False])
def test_grid_is_what_the_model_makes_of_every_corruption(at, name, has_label, splits):
    """Of a digit that the logistic model misreads: with a label what is right is the label, without it the answer."""
    at.set(model=name)
    at.sample(8) if has_label else at.draw(splits.test.images[8])
    image = splits.test.images[8] if has_label else prepared(at.drawing).image
    recogniser = recognizer.load(name)
    answer = int(calibrated(recogniser, image).argmax())
    expected = 5 if has_label else answer
    corrupted = corrupted_by_hand(image)
    said = dict(zip(corrupted, recogniser.predict_proba(np.stack(list(corrupted.values()))), strict=True))
    count = sum(said[corruption, severity].argmax() == expected for corruption, severity in said if severity)
    which = "the true digit" if has_label else "as without corruption"
    heading = f"{count} of 140 corrupted copies are read as a {expected} ({which})"
    assert heading in [words(each) for each in at.find_all("p", "heading")]

    found = [row for half in at.find_all("table", "stress") for row in rows(half)]
    assert len(found) == len(CORRUPTIONS) == 28
    for row, (corruption, entry) in zip(found, CORRUPTIONS.items(), strict=True):
        assert words(row[0]).lower().startswith(corruption.replace("_", " "))
        flip = next((s for s in range(1, 6) if said[corruption, s].argmax() != said[corruption, 0].argmax()), None)
        assert cells(row)[6] == ("never" if flip is None else f"at {flip} {entry.levels[flip - 1]:g} {entry.unit}")
        for severity in range(1, 6):
            (cell,) = row[severity].iter("span")
            (picture,) = cell.iter("img")
            probabilities = said[corruption, severity]
            is_right = probabilities.argmax() == expected
            assert cell.get("class") == f"cell {'right' if is_right else 'wrong'}"
            np.testing.assert_array_equal(255 - pixels(picture), corrupted[corruption, severity])
            confidence = calibrated(recogniser, corrupted[corruption, severity]).max()
            certain = certainty(recogniser, corrupted[corruption, severity])
            assert cell.get("title") == picture.get("alt")
            assert cell.get("title").endswith(f"severity {severity}: {probabilities.argmax()}, {certain}")
            sure = float(cell.get("style").removeprefix("--sure:"))
            assert sure == pytest.approx((confidence - 0.1) / 0.9, abs=0.0051)


def test_flips_are_those_of_the_library(at, splits):
    at.sample(8)
    recogniser = recognizer.load("mnist_advanced")
    corrupted = worst_case.all_corruptions(splits.test.images[8], 0)
    flips = worst_case.least_flipping_severity(worst_case.predict_corrupted(recogniser, corrupted))
    found = [cells(row)[6] for half in at.find_all("table", "stress") for row in rows(half)]
    assert [each.split()[1] if each != "never" else None for each in found] == [
        None if flip is None else str(flip) for flip in flips.values()
    ]


def test_mixture_follows_its_sliders(at, splits):
    at.sample(0)
    recogniser = recognizer.load("mnist_advanced")
    seen = []
    for change in ({}, {"noise": 80}, {"blur": 2.5}, {"stroke": 3.0}, {"stroke": -1.0}, {"rotation": 60}, {"down": 9}):
        sliders = SLIDERS | change
        at.set(**sliders)
        image = mix(splits.test.images[0], *sliders.values())
        np.testing.assert_array_equal(255 - at.picture("the corrupted digit"), image)
        expected = calibrated(recogniser, image)
        answer = int(expected.argmax())
        ending = "as expected" if answer == 7 else "instead of 7"
        assert words(at.find_all("div", "mixture")[-1]) == f"{answer} {certainty(recogniser, image)} {ending}"
        seen.append(image.tobytes())
    assert len(set(seen)) == len(seen)


def test_mixture_without_anything_is_the_drawing(some_digits):
    for image in some_digits.images[:20]:
        np.testing.assert_array_equal(mix(image, 0, 0, 0, 0, 0, 0), image)


@pytest.mark.parametrize(("across", "down"), [*itertools.product((-3, 0, 2), (-2, 0, 4))])
def test_shift_goes_to_the_right_and_down(across, down):
    image = np.zeros((28, 28), np.uint8)
    image[12:15, 11:16] = 200
    moved = mix(image, 0, 0, 0, 0, across, down)
    np.testing.assert_array_equal(moved, np.roll(image, (down, across), axis=(0, 1)))


@pytest.mark.parametrize(("degrees", "turns"), [(90, -1), (-90, 1)])
def test_positive_rotation_is_clockwise(degrees, turns, some_digits):
    turned = mix(some_digits.images[0], 0, 0, 0, degrees, 0, 0)
    np.testing.assert_allclose(turned, np.rot90(some_digits.images[0], turns), atol=1)


@pytest.mark.parametrize(("stroke", "name"), [(2.0, "thicker"), (-1.5, "thinner")])
def test_stroke_slider_widens_above_zero_and_narrows_below(stroke, name, some_digits):
    for image in some_digits.images[:5]:
        changed = mix(image, 0, 0, stroke, 0, 0, 0)
        np.testing.assert_array_equal(
            changed, CORRUPTIONS[name].at(image[None], abs(stroke), np.random.default_rng(0))[0]
        )
        assert (int(changed.sum()) > int(image.sum())) is (stroke > 0)


def test_mixture_is_stroke_then_geometry_then_blur_then_noise(some_digits):
    image = some_digits.images[:1]
    expected = CORRUPTIONS["thicker"].at(image, 2, np.random.default_rng(0))
    expected = geometry.rotate_and_translate(expected, 25, -3, 2)
    expected = CORRUPTIONS["gaussian_blur"].at(expected, 1.2, np.random.default_rng(0))
    expected = CORRUPTIONS["gaussian_noise"].at(expected, 40, np.random.default_rng(0))
    np.testing.assert_array_equal(mix(image[0], 40, 1.2, 2, 25, -3, 2), expected[0])
    assert not np.array_equal(mix(image[0], 40, 1.2, 2, 25, -3, 2), image[0])


def test_every_kind_of_corruption_has_its_heading():
    assert set(stress.KINDS) == {corruption.kind for corruption in CORRUPTIONS.values()}
