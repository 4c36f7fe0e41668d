"""Geometry and edges against scikit-image, displacements and stroke widths against closed forms."""

import numpy as np
import pytest
from skimage import feature, transform

from digits.corruptions import CORRUPTIONS
from tests.corruptions.pages import COLUMNS, ROWS, damage, pages, twice

MATRICES = {
    "rotate": lambda sign, degrees: transform.AffineTransform(rotation=sign * np.deg2rad(degrees)).params,
    # The columns of a rotation, but only its second one.
    "shear": lambda sign, degrees: np.where([[0, 1, 0]], MATRICES["rotate"](sign, degrees), np.eye(3)),
    "scale": lambda sign, percent: transform.AffineTransform(scale=100 / percent).params,
}


@pytest.mark.parametrize("severity", [2, 5])
@pytest.mark.parametrize("name", MATRICES)
def test_geometry_is_that_of_scikit_image(name, severity, digits_100):
    amount = CORRUPTIONS[name].levels[severity - 1]
    warped = damage(name, digits_100, amount)
    there, back = (transform.AffineTransform(translation=(shift, shift)).params for shift in (-13.5, 13.5))
    differences = []
    for sign in (-1, 1):
        matrix = back @ MATRICES[name](sign, amount) @ there
        expected = np.stack([transform.warp(image, matrix, preserve_range=True) for image in digits_100.astype(float)])
        differences.append(np.abs(warped - expected).mean(axis=(1, 2)))
    assert np.min(differences, axis=0).max() < 1
    if name != "scale":
        # Each image is clearly of one sign, and the signs are balanced to four standard deviations.
        assert np.max(differences, axis=0).min() > 3
        assert np.sum(differences[0] < differences[1]) == pytest.approx(50, abs=20)


def test_translation_is_by_whole_pixels_along_both_axes(digits_100):
    moved = damage("translate", digits_100, 3)
    padded = np.pad(digits_100, ((0, 0), (3, 3), (3, 3)))
    same = {
        (y, x): np.all(moved == padded[:, 3 - y : 31 - y, 3 - x : 31 - x], axis=(1, 2))
        for y in (-3, 3)
        for x in (-3, 3)
    }
    assert np.all(np.sum(list(same.values()), axis=0) == 1)
    for corner in same.values():
        assert corner.sum() == pytest.approx(25, abs=4 * np.sqrt(100 * 0.25 * 0.75))


def test_elastic_displaces_by_its_amount_and_smoothly():
    """Ramps along both axes show the displacement, in a middle far enough from the edge."""
    count, steepness = 600, 7
    ramps = np.repeat(np.stack([ROWS, COLUMNS]).astype(np.uint8) * steepness, count, axis=0)
    for amount in (0.5, 1, 2.5):
        displaced = (damage("elastic", ramps, amount, indices=twice(count)) - ramps) / steepness
        middle = displaced.reshape(2, count, 28, 28)[:, :, 10:18, 10:18]
        np.testing.assert_allclose(np.sqrt(np.square(middle).mean(axis=(1, 2, 3))), amount, rtol=0.06)
        # White noise blurred by s has an autocorrelation of exp(-d² / 4s²), here with s = 4.
        correlation = (middle[..., 4:] * middle[..., :-4]).mean() / np.square(middle).mean()
        assert correlation == pytest.approx(np.exp(-1 / 4), abs=0.04)
        assert np.corrcoef(middle[0].ravel(), middle[1].ravel())[0, 1] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("name", "sign"), [("thicker", 1), ("thinner", -1)], ids=["thicker", "thinner"])
def test_stroke_changes_its_width_by_the_amount(name, sign):
    bar = pages(0, 1)[0]
    bar[:, 11:17] = 255
    disc = (255 * np.clip(7.5 - np.hypot(ROWS - 13.5, COLUMNS - 13.5), 0, 1)).astype(np.uint8)[None]
    diameter = 2 * np.sqrt(disc.sum(dtype=float) / 255 / np.pi)
    for amount in CORRUPTIONS[name].levels:
        upright, lying = damage(name, np.stack([bar, bar.T]), amount)
        assert upright[14].sum() / 255 == pytest.approx(6 + sign * amount, abs=0.1)
        np.testing.assert_allclose(upright, lying.T, atol=1)
        area = damage(name, disc, amount).sum() / 255
        assert 2 * np.sqrt(area / np.pi) == pytest.approx(diameter + sign * amount, abs=0.3)


@pytest.mark.parametrize("fainter", [1, 10])
def test_canny_edges_are_those_of_scikit_image(fainter, digits_100):
    """At a tenth of the ink, both of Canny's thresholds matter; the two libraries thin plateaus differently."""
    images = digits_100 // fainter
    edges = damage("canny_edges", images, 100)
    assert set(np.unique(edges)) == {0, 255}
    expected = np.stack([feature.canny(image / 255, sigma=1) for image in images])
    assert np.sum((edges > 0) & expected) / np.sum((edges > 0) | expected) > 0.91
    np.testing.assert_allclose(damage("canny_edges", images, 40), 0.6 * images + 0.4 * edges, atol=0.51)
