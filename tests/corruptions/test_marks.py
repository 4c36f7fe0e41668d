"""Lines, spatter and occlusion by counting and measuring what is drawn."""

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


def centroids(lines: np.ndarray) -> np.ndarray:
    """Mean row of the ink in each column of each page."""
    return (lines * np.arange(28)[:, None]).sum(axis=1) / lines.sum(axis=1)


def within_page(lines: np.ndarray) -> np.ndarray:
    return lines[~lines[:, [0, 27]].any(axis=(1, 2))]


def test_dotted_line_is_straight_with_every_other_pair_of_columns():
    lines = damage("dotted_line", pages(0, 400), 40)
    assert lines.max() == 102
    drawn = lines.max(axis=1) > 0
    np.testing.assert_array_equal(drawn, np.tile((np.arange(28) % 4 >= 2) & (np.arange(28) < 27), (400, 1)))
    columns = np.flatnonzero(drawn[0])
    places = centroids(within_page(lines)[:, :, columns])
    slope, start = np.polyfit(columns, places.T, 1)
    assert np.abs(places.T - start - slope * columns[:, None]).max() < 0.2
    # MNIST-C's profile, 1 + log(1 - d / 2.3), falls to one half 0.9 pixels from the middle.
    width = within_page(lines)[:, :, columns].sum(axis=1).mean(axis=1) / 102
    np.testing.assert_allclose(width[np.abs(slope) < 0.2], 1.8, atol=0.15)


def test_dotted_line_starts_and_ends_anywhere():
    lines = damage("dotted_line", pages(0, 2000), 100)
    start, end = (lines[:, :, column].argmax(axis=1) for column in (2, 26))
    assert start.mean() == pytest.approx(13.5, abs=0.8)
    assert end.mean() == pytest.approx(13.5, abs=0.9)
    # Column 2 is 2 / 27 of the way from one uniform row to the other, column 26 is 26 / 27 of it.
    assert start.std() == pytest.approx(np.hypot(25, 2) / np.sqrt(12), rel=0.06)
    assert end.std() == pytest.approx(np.hypot(26, 1) / np.sqrt(12), rel=0.06)
    assert np.corrcoef(start, end)[0, 1] == pytest.approx((25 + 52) / (25 * 26), abs=0.1)


def test_zigzag_turns_every_4_pixels():
    lines = within_page(damage("zigzag", pages(0, 400), 60))
    assert lines.max() == 153
    assert not lines[:, :, [0, 1, 27]].any()
    columns = np.arange(3, 25)
    places = centroids(lines[:, :, columns])
    slope, start = np.polyfit(columns, places.T, 1)
    waves = places - start[:, None] - slope[:, None] * columns
    assert np.abs(slope).max() < 5 / 23 + 0.1
    gaps = np.concatenate([np.diff(np.flatnonzero(np.diff(np.sign(np.diff(wave))))) for wave in waves])
    assert set(gaps) <= {3, 4, 5}
    # Along the line it is 4; a column is up to 2 % longer.
    assert 3.85 < gaps.mean() < 4.05
    assert waves.max(axis=1).mean() == pytest.approx(2, abs=0.15)
    assert waves.min(axis=1).mean() == pytest.approx(-2, abs=0.15)


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
