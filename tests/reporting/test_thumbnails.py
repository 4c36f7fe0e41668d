"""Small pictures for a page: every pixel is as intended, and any decoder reads it back."""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from digits.reporting import thumbnails


@pytest.fixture
def three(some_digits) -> np.ndarray:
    return some_digits.images[:3]


def decoded(content: bytes) -> np.ndarray:
    """The oracle: what Pillow reads, where OpenCV wrote."""
    return np.asarray(Image.open(BytesIO(content)))


def test_overlay_is_grey_without_heat_and_red_under_full_heat(three):
    ink = three[0] / 255
    none, half, full = (thumbnails.overlay(three[0], np.full((28, 28), heat)) for heat in (0, 0.5, 1))
    for channel, red in enumerate((0.84, 0.19, 0.08)):
        np.testing.assert_allclose(none[..., channel], 1 - 0.75 * ink)
        np.testing.assert_allclose(full[..., channel], 0.15 * (1 - 0.75 * ink) + 0.85 * red)
    np.testing.assert_allclose(half, (none + full) / 2)
    assert min(none.min(), full.min()) >= 0
    assert max(none.max(), full.max()) <= 1


def test_on_paper_ink_is_black(three):
    np.testing.assert_array_equal(thumbnails.on_paper(three), 255 - three.astype(int))
    assert thumbnails.on_paper(three).dtype == np.uint8


def test_new_ink_is_red_and_removed_ink_blue(three):
    before, after = three[0], three[0].copy()
    new, lost = (before == 0).argmax(), (before == 255).argmax()
    after.flat[[new, lost]] = 40, 100
    marked = thumbnails.mark_changes(before, after).reshape(-1, 3)
    np.testing.assert_allclose(marked[new], (0.84, 0.19, 0.08))
    np.testing.assert_allclose(marked[lost], (0.16, 0.45, 0.85))
    same = before.ravel() == after.ravel()
    assert same.sum() == 782
    expected = 1 - 0.75 * before.ravel()[same] / 255
    np.testing.assert_allclose(marked[same], np.stack([expected] * 3, axis=1))


def test_nothing_changed_has_no_colour(three):
    marked = thumbnails.mark_changes(three[0], three[0])
    np.testing.assert_array_equal(marked[..., 0], marked[..., 2])


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3), (1, 1), (5, 300), (300, 5, 3)])
def test_png_keeps_every_pixel_and_the_order_of_the_colours(shape, rng):
    picture = rng.integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(decoded(thumbnails.png(picture)), picture)


def test_floats_are_rounded_to_the_nearest_level(rng):
    levels = rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)
    near = (levels + rng.uniform(-0.49, 0.49, levels.shape)).clip(0, 255) / 255
    np.testing.assert_array_equal(decoded(thumbnails.png(near)), levels)


def test_data_uri_contains_the_png(three):
    kind, content = thumbnails.data_uri(three[0]).split(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(decoded(base64.b64decode(content, validate=True)), three[0])
