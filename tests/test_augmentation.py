"""Augmentation against OpenCV's and SciPy's own transforms, and its contract."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from digits import augmentation
from digits.augmentation import Augmentation

FAMILIES = {
    "light": augmentation.LIGHT,
    "strong": augmentation.STRONG,
    "elastic": Augmentation(elastic=1.5),
    "stroke": Augmentation(stroke=1),
    "contrast": Augmentation(contrast=0.5),
    "noise": Augmentation(noise=25),
    "blur": Augmentation(blur=0.8),
    "cutout": Augmentation(cutout=1),
}


class FixedGenerator:
    """Gives the upper end of every uniform draw."""

    def uniform(self, low, high, size):
        return np.full(size, float(high))


@pytest.mark.parametrize("strength", FAMILIES.values(), ids=FAMILIES)
def test_contract(strength, some_digits):
    images = some_digits.images[:200]
    before = images.copy()
    first = strength(images, np.random.default_rng(7))
    assert first.shape == images.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(first, strength(images, np.random.default_rng(7)))
    assert not np.array_equal(first, strength(images, np.random.default_rng(8)))
    assert not np.array_equal(first, images)


def test_nothing_asked_for_changes_nothing(some_digits, rng):
    np.testing.assert_array_equal(Augmentation()(some_digits.images, rng), some_digits.images)


def test_rotation_is_that_of_opencv(some_digits):
    image = some_digits.images[0]
    turned = augmentation.warp(image[None], FixedGenerator(), Augmentation(rotation=20))[0]
    expected = cv2.warpAffine(image, cv2.getRotationMatrix2D((13.5, 13.5), -20, 1), (28, 28))
    assert np.abs(turned.astype(int) - expected).max() <= 3


def test_scale_and_shift_are_those_of_scipy(some_digits):
    image = some_digits.images[1]
    shifted = augmentation.warp(image[None], FixedGenerator(), Augmentation(shift=2))[0]
    np.testing.assert_array_equal(shifted, ndimage.shift(image, (-2, -2), order=1))
    # Both axes by 1.1, and each by 1.05 again.
    scaled = augmentation.warp(image[None], FixedGenerator(), Augmentation(scale=0.1))[0]
    factor = 1 / (1.1 * 1.05)
    expected = ndimage.affine_transform(image.astype(float), [factor] * 2, offset=13.5 * (1 - factor), order=1)
    assert np.abs(scaled - expected).max() <= 6


def test_elastic_map_at_rest_is_the_affine_map(some_digits, rng):
    """A bend too small to see must give what the path without bending gives."""
    images = some_digits.images[:50]
    affine = Augmentation(rotation=10, scale=0.1, shear=0.1, shift=2)
    bent = Augmentation(rotation=10, scale=0.1, shear=0.1, shift=2, elastic=1e-6)
    plain = augmentation.warp(images, np.random.default_rng(1), affine)
    assert np.abs(plain.astype(int) - augmentation.warp(images, np.random.default_rng(1), bent)).max() <= 6


def test_noise_has_the_stated_spread(rng):
    grey = np.full((4000, 28, 28), 128, np.uint8)
    noisy = augmentation.change_light(grey, rng, contrast=0, noise=25)
    deviations = noisy.reshape(4000, -1).std(axis=1)
    # Two thirds stay as they are, and of the rest one fiftieth draws a deviation below half a level.
    assert np.mean(deviations < 0.5) == pytest.approx(2 / 3 + 1 / 150, abs=0.025)
    assert deviations.max() < 27
    # A mixture over sigma uniform to 25: mean 12.5.
    assert deviations[deviations > 0.5].mean() == pytest.approx(12.5, abs=1)


def test_cutout_removes_one_square(rng):
    white = np.full((500, 28, 28), 255, np.uint8)
    for image in augmentation.cut_out(white, rng, share=1):
        rows, columns = np.nonzero(image == 0)
        side = rows.max() - rows.min() + 1
        assert 4 <= side <= 8
        assert len(rows) == side * (columns.max() - columns.min() + 1) == side**2


def test_strokes_grow_or_shrink_but_never_vanish(some_digits, rng):
    ink = some_digits.images.sum(axis=(1, 2), dtype=float)
    ratio = augmentation.change_stroke(some_digits.images, rng, share=1).sum(axis=(1, 2)) / ink
    assert ratio.min() >= 0.4
    assert np.mean(ratio > 1.1) > 0.3
    assert np.mean(ratio < 0.95) > 0.2
