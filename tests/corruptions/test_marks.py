"""Ruled paper, lines, spatter and occlusion by counting and measuring what is drawn."""

import numpy as np
import pytest
from scipy import ndimage, stats

from digits.corruptions import CORRUPTIONS
from tests.corruptions.pages import damage, pages, twice


def line_places(profile: np.ndarray) -> np.ndarray:
    """Where a row profile, 0 to 1, has whole lines: centroids of its separate peaks of mass 1."""
    labels, count = ndimage.label(profile > 0.01)
    numbers = np.arange(1, count + 1)
    whole = np.abs(ndimage.sum_labels(profile, labels, numbers) - 1) < 0.05
    return np.array(ndimage.center_of_mass(profile, labels, numbers))[whole, 0]


def ruling_spacings(profiles: np.ndarray) -> np.ndarray:
    """The spacing of the lines in each profile; fails where it isn't the same all over the page."""
    gaps = [np.diff(line_places(profile)) for profile in profiles]
    assert max(np.ptp(gap) for gap in gaps) < 0.1
    return np.array([gap.mean() for gap in gaps])


def test_ruled_paper_has_parallel_lines_evenly_spaced():
    ruled = damage("ruled_paper", pages(0, 400), 60)
    np.testing.assert_array_equal(ruled, np.repeat(ruled[:, :, :1], 28, axis=2))
    assert ruled.max() == 153
    spacings = ruling_spacings(ruled[:, :, 0] / 153)
    assert stats.kstest(spacings, stats.uniform(6, 3).cdf).pvalue > 0.01
    first = [line_places(profile)[0] for profile in ruled[:, :, 0] / 153]
    assert np.ptp(first) > 5
    np.testing.assert_array_equal(damage("ruled_paper", pages(255, 2), 75), 255)


def test_squared_paper_has_lines_both_ways():
    squared = damage("squared_paper", pages(0, 400), 60)
    assert squared.max() == 153
    down, across = squared.min(axis=2), squared.min(axis=1)
    np.testing.assert_array_equal(squared, np.maximum(down[:, :, None], across[:, None, :]))
    spacings = ruling_spacings(down / 153)
    np.testing.assert_allclose(ruling_spacings(across / 153), spacings, atol=0.05)
    assert stats.kstest(spacings, stats.uniform(5, 2).cdf).pvalue > 0.01
    np.testing.assert_array_equal(damage("squared_paper", pages(255, 2), 75), 255)


@pytest.mark.parametrize("name", ["dotted_line", "zigzag"])
def test_line_is_as_dark_as_its_amount(name):
    whole = damage(name, pages(0, 50), 100)
    assert whole.max() == 255
    np.testing.assert_allclose(damage(name, pages(0, 50), 40), 0.4 * whole, atol=0.71)
    np.testing.assert_array_equal(damage(name, pages(200, 50), 100), np.minimum(200 + whole, 255))


def mud_of_white(white: np.ndarray) -> np.ndarray:
    """How much mud lies on white pages: full mud is 63."""
    return (255 - white) / (255 - 63)


@pytest.mark.parametrize("percent", [30, 50, 70])
def test_spatter_covers_as_much_as_mnist_c_formula(percent, rng):
    """Against scikit-image's chain in SciPy, far enough from the edge for borders not to matter."""
    middle = np.s_[:, 8:20, 8:20]
    ours = mud_of_white(damage("spatter", pages(255, 800), percent))[middle]
    smooth = ndimage.gaussian_filter(rng.standard_normal((800, 28, 28)), 1, axes=(1, 2))
    above = smooth > np.quantile(smooth[middle], 1 - percent / 100)
    theirs = ndimage.gaussian_filter(above.astype(float), 1.5, axes=(1, 2))[middle]
    theirs[theirs < 0.8] = 0
    for first, second in ((ours, theirs), (ours > 0, theirs > 0)):
        assert stats.ttest_ind(first.mean(axis=(1, 2)), second.mean(axis=(1, 2))).pvalue > 0.001


def test_spatter_is_mud_of_63():
    count = 100
    images = np.concatenate([pages(255, count), pages(0, count), pages(150, count)])
    on_ink, on_paper, on_grey = np.split(damage("spatter", images, 70, indices=np.tile(np.arange(count), 3)), 3)
    mud = mud_of_white(on_ink)
    assert on_ink.min() == on_paper.max() == 63
    assert mud[mud > 0].min() == pytest.approx(0.8, abs=0.003)
    np.testing.assert_allclose(on_paper, 63 * mud, atol=0.7)
    np.testing.assert_allclose(on_grey, 150 + (63 - 150) * mud, atol=0.8)


@pytest.mark.parametrize("side", CORRUPTIONS["occlusion"].levels)
def test_occlusion_is_one_square_of_one_shade(side):
    count = 300
    covered = damage("occlusion", np.concatenate([pages(0, count), pages(255, count)]), side, indices=twice(count))
    on_paper, on_ink = covered[:count], covered[count:]
    squares = on_paper == on_ink
    assert np.all(on_paper[~squares] == 0)
    assert np.all(on_ink[~squares] == 255)
    rows, columns = squares.any(axis=2), squares.any(axis=1)
    np.testing.assert_array_equal(squares, rows[:, :, None] & columns[:, None, :])
    for ends in (rows, columns):
        assert np.all(ends.sum(axis=1) == side)
        first = ends.argmax(axis=1)
        assert np.all(first + side == 28 - ends[:, ::-1].argmax(axis=1))
        assert stats.kstest(first + side / 2, stats.uniform(8, 12).cdf).pvalue > 0.001
    shades = np.array([np.unique(page[square]) for page, square in zip(on_paper, squares, strict=True)])
    assert shades.shape == (count, 1)
    assert stats.kstest(shades[:, 0], stats.uniform(0, 255).cdf).pvalue > 0.01
