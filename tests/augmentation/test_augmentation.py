"""Augmentation against OpenCV's and SciPy's own transforms, and its contract."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy import ndimage, stats

from digits import augmentation
from digits.augmentation import Augmentation, light, marks, shape

FAMILIES = {"light": augmentation.LIGHT, "strong": augmentation.STRONG} | {
    name: replace(Augmentation(share=1), **{name: getattr(augmentation.STRONG, name)}) for name in augmentation.FAMILIES
}


class FixedGenerator:
    """Gives the upper end of every uniform draw."""

    def uniform(self, low, high, size):
        return np.full(size, float(high))


@pytest.mark.parametrize("strength", FAMILIES.values(), ids=FAMILIES)
def test_contract(strength, some_digits):
    images, labels = some_digits.images[:200], some_digits.labels[:200]
    before = images.copy()
    first = strength(images, np.random.default_rng(7), labels)
    assert first.shape == images.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(first, strength(images, np.random.default_rng(7), labels))
    assert not np.array_equal(first, strength(images, np.random.default_rng(8), labels))
    assert not np.array_equal(first, images)


def test_zero_strengths_change_nothing(some_digits, rng):
    np.testing.assert_array_equal(Augmentation()(some_digits.images, rng), some_digits.images)


def test_rotation_is_that_of_opencv(some_digits):
    image = some_digits.images[0]
    turned = shape.warp(image[None], FixedGenerator(), rotation=20)[0]
    expected = cv2.warpAffine(image, cv2.getRotationMatrix2D((13.5, 13.5), -20, 1), (28, 28))
    assert np.abs(turned.astype(int) - expected).max() <= 3


def test_scale_and_shift_are_those_of_scipy(some_digits):
    image = some_digits.images[1]
    shifted = shape.warp(image[None], FixedGenerator(), shift=2)[0]
    np.testing.assert_array_equal(shifted, ndimage.shift(image, (-2, -2), order=1))
    # Both axes by 1.1, and each by 1.05 again.
    scaled = shape.warp(image[None], FixedGenerator(), scale=0.1)[0]
    factor = 1 / (1.1 * 1.05)
    expected = ndimage.affine_transform(image.astype(float), [factor] * 2, offset=13.5 * (1 - factor), order=1)
    assert np.abs(scaled - expected).max() <= 6


def test_elastic_map_at_rest_is_the_affine_map(some_digits, rng):
    """A bend too small to see must give what the path without bending gives."""
    images = some_digits.images[:50]
    affine = {"rotation": 10, "scale": 0.1, "shear": 0.1, "shift": 2}
    plain = shape.warp(images, np.random.default_rng(1), **affine)
    bent = shape.warp(images, np.random.default_rng(1), **affine, elastic=1e-6)
    assert np.abs(plain.astype(int) - bent).max() <= 6


def test_small_changes_are_more_frequent_than_large_ones():
    """A dot that is only shifted lands u·|u| of the largest shift away, u uniform: half of them within a quarter."""
    dots = np.zeros((4000, 28, 28), np.uint8)
    dots[:, 14, 14] = 255
    shifted = shape.warp(dots, np.random.default_rng(0), shift=8).astype(float)
    columns = (shifted.sum(axis=1) @ np.arange(28)) / shifted.sum(axis=(1, 2)) - 14
    expected = stats.ks_1samp(columns, lambda x: 0.5 + np.sign(x) * np.sqrt(np.abs(x) / 8) / 2)
    assert expected.statistic < 0.03
    assert np.mean(np.abs(columns) < 2) == pytest.approx(0.5, abs=0.03)


def test_damaged_and_share_say_how_many_are_changed(some_digits):
    images = np.concatenate([some_digits.images] * 4)
    inverted = Augmentation(damaged=0.5, polarity=0.4)(images, np.random.default_rng(0))
    assert np.mean(inverted[:, 0, 0] == 255) == pytest.approx(0.2, abs=0.04)
    noisy = Augmentation(damaged=0.5, share=0.4, noise=80)(images, np.random.default_rng(0))
    assert np.mean((noisy != images).any(axis=(1, 2))) == pytest.approx(0.2, abs=0.04)


def test_leaving_a_family_out_leaves_the_others():
    without = augmentation.by_name("strong", ["noise", "lines"])
    assert without == replace(augmentation.STRONG, noise=0, lines=0)
    assert augmentation.by_name("none") is None
    with pytest.raises(ValueError, match="augmentation light has no noise, polarity to leave out"):
        augmentation.by_name("light", ["noise", "rotation", "polarity"])
    with pytest.raises(ValueError, match="augmentation none has no blur to leave out"):
        augmentation.by_name("none", ["blur"])
    with pytest.raises(ValueError, match="no family of augmentation called snow; there are: flags, "):
        augmentation.by_name("strong", ["snow"])


def test_flags_are_ink_to_the_upper_left_of_the_stated_share_of_ones(some_digits):
    images, labels = some_digits.images, some_digits.labels
    flagged = Augmentation(flags=0.4)(images, np.random.default_rng(0), labels)
    changed = (flagged != images).any(axis=(1, 2))
    assert not changed[labels != 1].any()
    assert changed[labels == 1].mean() == pytest.approx(0.4, abs=0.1)
    np.testing.assert_array_equal(Augmentation(flags=0.4)(images, np.random.default_rng(0)), images)


def test_a_flag_moves_the_stem_to_the_right_because_the_centre_of_mass_stays():
    stick = np.zeros((200, 28, 28), np.uint8)
    stick[:, 4:24, 14:16] = 255
    flagged = shape.add_flags(stick, np.random.default_rng(0))
    centres = [ndimage.center_of_mass(one) for one in flagged]
    np.testing.assert_allclose(centres, np.broadcast_to([13.5, 14.5], (200, 2)), atol=0.6)
    # The stick alone is as high as rows 13 to 16; nothing is to its right but a foot.
    right = 27 - (flagged[:, 13:17, ::-1] > 127).any(axis=1).argmax(axis=1)
    assert right.min() >= 15
    assert right.mean() > 16
    beyond = np.arange(28) > right[:, None] + 2
    assert not (flagged[:, :18].any(axis=1) & beyond).any()
    with_foot = (flagged[:, 18:].any(axis=1) & beyond).any(axis=1)
    assert with_foot.mean() == pytest.approx(0.3, abs=0.1)
    assert (flagged[:, :16, :13] > 200).any(axis=(1, 2)).all()


def test_noise_has_the_stated_spread_and_is_gaussian_to_heavy_tailed(rng):
    grey = np.full((2000, 28, 28), 128, np.uint8)
    noise = light.add_noise(grey, rng, largest=20).reshape(2000, -1) - 128.0
    # Uniform up to 20, and rounding to whole levels.
    assert noise.std(axis=1).mean() == pytest.approx(10, abs=0.5)
    assert noise.std(axis=1).max() < 25
    strong = noise[noise.std(axis=1) > 8]
    kurtosis = stats.kurtosis(strong, axis=1)
    # A normal variable has 0, its cube about 43, less for being cut off.
    assert np.percentile(kurtosis, 5) < 1
    assert np.percentile(kurtosis, 95) > 15


def test_blur_keeps_the_ink_and_spreads_it_no_further_than_stated(rng):
    dots = np.zeros((300, 28, 28), np.uint8)
    dots[:, 14, 14] = 255
    blurred = light.blur(np.repeat(dots, 2, axis=0), rng, 2.0).astype(float)
    assert np.abs(blurred.sum(axis=(1, 2)) / 255 - 1).max() < 0.15
    place = np.arange(28) - 14
    weight = blurred.sum(axis=(1, 2))
    across, down = ((blurred.sum(axis=axis) @ place**2) / weight for axis in (1, 2))
    assert np.sqrt(np.maximum(across, down)).max() <= 2.1
    # Some are smeared along one direction.
    assert np.mean(np.maximum(across, down) > 4 * np.minimum(across, down)) > 0.1


def test_tone_curves_keep_the_order_of_the_greys_and_the_stated_contrast(rng):
    ramps = np.tile(np.linspace(0, 255, 784).astype(np.uint8).reshape(1, 28, 28), (500, 1, 1))
    toned = light.change_tone(ramps, rng, 0.8).reshape(500, -1).astype(int)
    assert (np.diff(toned, axis=1) >= 0).all()
    spans = np.ptp(toned, axis=1) / 255
    assert spans.min() >= 0.19
    assert spans.mean() == pytest.approx(0.6, abs=0.03)


def test_clouds_are_smooth_and_cover_the_scale(rng):
    fields = light.smooth_fields(200, rng)
    assert fields.min() == 0
    assert fields.max() == pytest.approx(1, abs=1e-5)
    steps = np.abs(np.diff(fields, axis=2)).mean()
    # White noise of the same range makes steps of a third.
    assert 0.02 < steps < 0.15


def test_a_random_filter_of_strength_zero_changes_nothing(some_digits, rng):
    np.testing.assert_array_equal(light.random_filter(some_digits.images, rng, 0), some_digits.images)


def test_erasing_takes_one_rectangle_of_the_stated_area(rng):
    white = np.full((1000, 28, 28), 200, np.uint8)
    erased = marks.erase(white, rng)
    areas = []
    for image in erased:
        rows, columns = np.nonzero(image != 200)
        if len(rows):
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            assert len(rows) == height * width
            assert len(np.unique(image[rows, columns])) == 1
            areas.append(len(rows) / 784)
    assert len(areas) > 980
    # Part of a rectangle may lie outside.
    assert 0.3 < max(areas) <= 0.36
    # An inverted one is 55; the others are paper or any grey.
    assert np.mean((erased == 55).any(axis=(1, 2))) == pytest.approx(0.5, abs=0.06)


def test_lines_add_ink_or_paper_and_leave_most_of_the_page(some_digits, rng):
    drawn = marks.draw_lines(some_digits.images, rng).astype(int) - some_digits.images
    changed = (drawn != 0).mean(axis=(1, 2))
    assert np.mean(changed > 0) > 0.9
    assert np.median(changed) < 0.2
    assert (drawn > 0).any(axis=(1, 2)).mean() > (drawn < 0).any(axis=(1, 2)).mean() > 0.05


def test_hollow_strokes_are_outlines(rng):
    bar = np.zeros((50, 28, 28), np.uint8)
    bar[:, 10:18, 6:22] = 255
    hollow = shape.hollow(bar, rng)
    rim = cv2.morphologyEx(bar[0], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    for image in hollow:
        # All full ink lies within a pixel of the edge, and what is left inside is at most half.
        assert rim[image > 200].all()
        assert image[12:16, 9:19].max() <= 128
        assert (image > 200).sum() >= 36


def test_strokes_grow_or_shrink_but_never_vanish(some_digits, rng):
    ink = some_digits.images.sum(axis=(1, 2), dtype=float)
    ratio = shape.change_stroke(some_digits.images, rng).sum(axis=(1, 2)) / ink
    assert ratio.min() >= 0.4
    assert np.mean(ratio > 1.1) > 0.3
    assert np.mean(ratio < 0.95) > 0.2


def test_ripples_move_pixels_by_at_most_the_stated_amount_and_not_as_their_neighbours(rng):
    ramp = np.tile((9 * np.arange(28, dtype=np.uint8))[None, :], (300, 28, 1))
    moved = (shape.ripple(ramp, rng, 2).astype(float) - ramp)[:, 4:-4, 4:-4] / 9
    # Cubic interpolation between the knots overshoots a little.
    assert 1.5 < np.abs(moved).max() < 2.6
    apart = np.corrcoef(moved[:, :, :-4].ravel(), moved[:, :, 4:].ravel())[0, 1]
    assert abs(apart) < 0.1
    np.testing.assert_array_equal(shape.ripple(ramp, rng, 0), ramp)
