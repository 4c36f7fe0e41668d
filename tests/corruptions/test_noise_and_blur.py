"""Noise by its distribution, blur against SciPy, downsampling and JPEG against plain sums and Pillow."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, stats

from digits.corruptions import CORRUPTIONS, blur, pixels
from digits.corruptions.streams import Streams
from tests.corruptions.pages import COLUMNS, ROWS, damage, pages


def test_gaussian_noise_is_normal():
    added = damage("gaussian_noise", pages(128, 200), 20) - 128
    # Five standard errors of 156,800 pixels; rounding adds 1/12 to the variance.
    assert added.mean() == pytest.approx(0, abs=5 * 20 / np.sqrt(added.size))
    assert added.std() == pytest.approx(np.sqrt(400 + 1 / 12), abs=5 * 20 / np.sqrt(2 * added.size))
    assert stats.skew(added, axis=None) == pytest.approx(0, abs=5 * np.sqrt(6 / added.size))
    assert stats.kurtosis(added, axis=None) == pytest.approx(0, abs=5 * np.sqrt(24 / added.size))
    beside = np.corrcoef(added[:, :, 1:].ravel(), added[:, :, :-1].ravel())[0, 1]
    assert beside == pytest.approx(0, abs=5 / np.sqrt(added.size))


def test_shot_noise_counts_photons():
    # 51 of 255 at 60 photons at full ink: 12 expected, 4.25 grey levels each.
    shot = damage("shot_noise", pages(51, 200), 60)
    counts = np.round(shot / 4.25).astype(int)
    np.testing.assert_allclose(shot, np.minimum(counts * 4.25, 255), atol=0.51)
    expected = stats.poisson(12).pmf(np.arange(3, 24)) * counts.size
    observed = np.bincount(counts.ravel(), minlength=60)[3:24]
    assert np.all(np.abs(observed - expected) < 4.5 * np.sqrt(expected))
    assert counts.mean() == pytest.approx(12, abs=5 * np.sqrt(12 / counts.size))
    assert counts.var() == pytest.approx(12, rel=5 * np.sqrt(2 / counts.size))


def test_shot_noise_clips_ink_and_leaves_paper():
    full = damage("shot_noise", pages(255, 100), 3) == 255
    share = stats.poisson(3).sf(2)
    assert full.mean() == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / full.size))
    assert not damage("shot_noise", pages(0, 100), 3).any()


def test_impulse_noise_is_half_black_half_white():
    noisy = damage("impulse_noise", pages(128, 200), 17)
    assert set(np.unique(noisy)) == {0, 128, 255}
    for extreme in (0, 255):
        tolerance = 5 * np.sqrt(0.085 * 0.915 / noisy.size)
        assert np.mean(noisy == extreme) == pytest.approx(0.085, abs=tolerance)


@pytest.mark.parametrize("sigma", [0.5, 1.5, 3])
def test_gaussian_blur_is_that_of_scipy(sigma, digits_100, rng):
    images = np.concatenate([digits_100[:20], rng.integers(0, 256, (5, 28, 28), np.uint8)])
    expected = ndimage.gaussian_filter(images.astype(float), sigma, axes=(1, 2), mode="constant")
    assert np.abs(damage("gaussian_blur", images, sigma) - expected).max() < 2


def test_glass_blur_blurs_vertically_before_and_after(digits_100):
    expected = digits_100.astype(float)
    for _ in range(2):
        expected = ndimage.gaussian_filter1d(np.floor(expected), 0.7, axis=1, mode="nearest")
    assert np.abs(blur.glass_blur(digits_100, 0, Streams(0, range(100))) - expected).max() <= 0.51


@pytest.mark.parametrize("passes", [1, 5])
def test_glass_blur_only_moves_pixels(passes, monkeypatch):
    monkeypatch.setattr(blur, "_blurred_vertically", lambda images: images.astype(float))
    ramps = np.stack([ROWS, COLUMNS]).astype(np.uint8)
    rows, columns = damage("glass_blur", ramps, passes, indices=[0, 0]).astype(int)
    assert set(zip(rows.flat, columns.flat, strict=True)) == set(np.ndindex(28, 28))
    assert not rows[0].any()
    assert not columns[:, 0].any()


@pytest.mark.parametrize("sigma", [1, 3, 5])
def test_motion_blur_is_half_a_gaussian_to_one_side(sigma):
    point = pages(0, 400)
    point[:, 14, 26] = 255
    smeared = damage("motion_blur", point, sigma)
    mass = smeared.sum(axis=(1, 2))
    # Each of 21 pixels is rounded down.
    assert np.all((mass > 255 - 21) & (mass <= 255))

    x = ((COLUMNS - 26) * smeared).sum(axis=(1, 2)) / mass
    y = ((ROWS - 14) * smeared).sum(axis=(1, 2)) / mass
    steps = np.arange(21)
    weights = np.floor(255 * (half := np.exp(-(steps**2) / (2 * sigma**2))) / half.sum())
    assert np.hypot(x, y).mean() == pytest.approx(np.average(steps, weights=weights), rel=0.05, abs=0.06)
    assert np.all(x < 0)
    assert np.abs(np.arctan2(y, -x)).max() <= np.pi / 4 + 1e-6


@pytest.mark.parametrize("side", CORRUPTIONS["downsampling"].levels)
def test_downsampling_averages_areas_and_interpolates(side, digits_100):
    ends = np.arange(side + 1) * 28 / side
    overlap = np.minimum(ends[1:, None], np.arange(1, 29)) - np.maximum(ends[:-1, None], np.arange(28))
    shrink = np.clip(overlap, 0, None) * side / 28
    middles = (ends[1:] + ends[:-1]) / 2
    enlarge = np.stack([np.interp(np.arange(28) + 0.5, middles, unit) for unit in np.eye(side)], axis=1)
    both = enlarge @ shrink
    coarse = damage("downsampling", digits_100, side)
    assert np.abs(coarse - both @ digits_100 @ both.T).max() < 1.6
    np.testing.assert_array_equal(damage("downsampling", pages(77, 1), side), 77)


@pytest.mark.parametrize("quality", CORRUPTIONS["jpeg"].levels)
def test_jpeg_is_that_of_pillow(quality, digits_100):
    opened = []
    for image in digits_100[:30]:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        opened.append(np.asarray(Image.open(file), float))
    assert np.abs(damage("jpeg", digits_100[:30], quality) - opened).max() <= 2


@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_blurred_noise_has_the_stated_deviation(sigma, rng):
    stated = pixels.blurred_deviation(sigma)
    # The integral of the squared Gaussian over the plane is 1 / 4πσ²; the edges are too near for that at σ = 4.
    if sigma == 1:
        assert stated[14, 14] == pytest.approx(1 / (2 * sigma * np.sqrt(np.pi)), rel=0.005)
    noise = rng.standard_normal((4000, 28, 28))
    blurred = ndimage.gaussian_filter(noise, sigma, axes=(1, 2), mode="mirror")
    np.testing.assert_allclose(blurred.std(axis=0), stated, rtol=0.06)
