"""Light and contrast against closed forms."""

import numpy as np
import pytest
from scipy import stats

from digits.corruptions import CORRUPTIONS
from tests.corruptions.pages import COLUMNS, ROWS, damage, pages, twice

CLOSED_FORMS = {
    "brightness": lambda images, percent: np.minimum(images + 2.55 * percent, 255),
    "low_contrast": lambda images, percent: (images * percent + 127.5 * (100 - percent)) / 100,
    "faint_ink": lambda images, percent: images * percent / 100,
    "stripe": lambda images, columns: np.where((columns > COLUMNS) | (columns > 27 - COLUMNS), 255 - images, images),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_form(name, digits_100):
    for amount in CORRUPTIONS[name].levels:
        expected = CLOSED_FORMS[name](digits_100.astype(float), amount)
        np.testing.assert_allclose(damage(name, digits_100, amount), expected, atol=0.501)


def test_uneven_light_is_a_plane_that_darkens_paper_only():
    count = 300
    shaded = damage("uneven_light", np.concatenate([pages(0, count), pages(100, count)]), 50, indices=twice(count))
    paper, grey = shaded[:count], shaded[count:]
    assert np.all(paper.min(axis=(1, 2)) <= 1)
    np.testing.assert_allclose(paper.max(axis=(1, 2)), 127.5, atol=0.6)
    np.testing.assert_allclose(grey, 100 + 155 * paper / 255, atol=0.9)
    np.testing.assert_array_equal(damage("uneven_light", pages(255, 3), 80), 255)

    terms = np.stack([np.ones(784), COLUMNS.ravel(), ROWS.ravel()], axis=1)
    (_, right, down), *_ = np.linalg.lstsq(terms, paper.reshape(count, -1).T)
    residual = paper.reshape(count, -1).T - terms @ np.linalg.lstsq(terms, paper.reshape(count, -1).T)[0]
    assert np.abs(residual).max() < 0.7
    assert stats.kstest(np.arctan2(down, right), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.01


def plasma_of_white(white: np.ndarray, weight: float) -> np.ndarray:
    """The field f that fog added to white pages: (1 + w f) / (1 + w) of full ink is left."""
    return (white / 255 * (1 + weight) - 1) / weight


def test_fog_adds_a_field_and_rescales(digits_100):
    images = np.concatenate([pages(255, 100), digits_100, digits_100 // 2, pages(0, 100)])
    white, full, half, black = np.split(damage("fog", images, 3, indices=np.tile(np.arange(100), 4)), 4)
    field = plasma_of_white(white, 3)
    for clean, foggy in ((digits_100, full), (digits_100 // 2, half)):
        brightest = clean.max(axis=(1, 2), keepdims=True).astype(float)
        expected = (clean + 255 * 3 * field) * (brightest / (brightest + 255 * 3))
        np.testing.assert_allclose(foggy, expected, atol=1.3)
    assert not black.any()
