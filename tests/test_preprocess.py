"""Real digits rendered as pictures of every kind, and read back."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import preprocess


@pytest.fixture
def digit(some_digits) -> np.ndarray:
    return some_digits.images[3]


def large(digit: np.ndarray, side: int = 280) -> np.ndarray:
    return cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference, grey levels."""
    return float(np.abs(a.astype(float) - b).mean())


def as_png(picture: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def test_mnist_digits_come_back_nearly_unchanged(some_digits):
    """The official files are the oracle: preparing one of them, as it is or large, must give it back."""
    changes = [difference(preprocess.prepare(image).image, image) for image in some_digits.images[:300]]
    assert np.median(changes) < 1
    enlarged = [difference(preprocess.prepare(large(image)).image, image) for image in some_digits.images[:300]]
    assert np.median(enlarged) < 10


def test_polarity_does_not_matter(digit):
    light, dark = preprocess.prepare(large(digit)), preprocess.prepare(255 - large(digit))
    np.testing.assert_array_equal(light.image, dark.image)
    assert "light ink on dark paper" in light.steps
    assert "dark ink on light paper" in dark.steps


def test_place_and_size_do_not_matter(digit):
    ink = large(digit, 140)
    page = np.full((400, 300), 255, np.uint8)
    page[230:370, 20:160] = 255 - ink
    assert difference(preprocess.prepare(page).image, preprocess.prepare(ink).image) < 3


def test_uneven_light_is_taken_out(some_digits):
    shadow = np.linspace(120, 250, 280)[None, :] * np.ones((280, 1))
    changes = []
    for image in some_digits.images[:100]:
        photographed = (shadow * (1 - 0.7 * large(image) / 255)).astype(np.uint8)
        changes.append(difference(preprocess.prepare(photographed).image, preprocess.prepare(large(image)).image))
    assert np.median(changes) < 10


def test_centre_of_mass_is_in_the_middle(some_digits):
    rows, columns = np.indices((28, 28))
    for image in some_digits.images[:50]:
        prepared = preprocess.prepare(np.roll(large(image), 20, axis=1)).image.astype(float)
        assert np.average(columns, weights=prepared) == pytest.approx(14, abs=0.6)
        assert np.average(rows, weights=prepared) == pytest.approx(14, abs=0.6)


def test_every_mode_of_a_picture_gives_the_same_digit(digit):
    dark = 255 - large(digit)
    expected = preprocess.prepare(dark).image
    grey = Image.fromarray(dark)
    transparent = Image.merge("RGBA", [Image.new("L", grey.size, 0)] * 3 + [Image.fromarray(large(digit))])
    white_on_transparent = Image.merge("RGBA", [Image.new("L", grey.size, 255)] * 3 + [Image.fromarray(large(digit))])
    for picture in (
        grey.convert("RGB"),
        grey.convert("RGBA"),
        grey.convert("P"),
        Image.fromarray(dark.astype(np.uint16) * 257),
        transparent,
        white_on_transparent,
    ):
        prepared = preprocess.prepare_file(as_png(picture))
        assert difference(prepared.image, expected) < 1.5, picture.mode


def test_exif_rotation_is_undone(digit):
    picture = Image.fromarray(255 - large(digit))
    upright = preprocess.prepare(np.asarray(picture)).image
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90° clockwise
    file = io.BytesIO()
    picture.rotate(90, expand=True).save(file, "JPEG", quality=95, exif=exif)
    assert difference(preprocess.prepare_file(file.getvalue()).image, upright) < 3


def test_specks_are_left_out(digit):
    page = large(digit)
    clean = preprocess.prepare(page).image
    page[5:8, 5:8] = 255
    prepared = preprocess.prepare(page)
    np.testing.assert_array_equal(prepared.image, clean)
    assert "left out 1 specks" in prepared.steps


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_picture_is_said_to_be_blank(level):
    with pytest.raises(ValueError, match="nothing is drawn"):
        preprocess.prepare(np.full((280, 280), level, np.uint8))


def test_faintly_noisy_paper_is_blank(rng):
    with pytest.raises(ValueError, match="nothing is drawn"):
        preprocess.prepare(rng.integers(246, 255, (280, 280)).astype(np.uint8))


def test_fully_transparent_picture_is_blank():
    with pytest.raises(ValueError, match="nothing is drawn"):
        preprocess.prepare_file(as_png(Image.new("RGBA", (100, 100), (0, 0, 0, 0))))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (3000, 40), (1, 3000), (3000, 1)])
def test_odd_shapes_are_read_or_refused_never_a_crash(shape):
    grey = np.full(shape, 255, np.uint8)
    grey[shape[0] // 2 :, shape[1] // 2 :] = 0
    if grey.min() == grey.max():
        with pytest.raises(ValueError, match="nothing is drawn"):
            preprocess.prepare(grey)
    else:
        assert preprocess.prepare(grey).image.shape == (28, 28)


def test_two_far_faint_dots_do_not_round_to_nothing():
    grey = np.full((400, 400), 200, np.uint8)
    grey[2, 2] = grey[397, 397] = 180
    image = preprocess.prepare(grey).image
    assert image.max() == 255
    assert np.count_nonzero(image) >= 2


def test_what_is_no_image_is_refused(digit, tmp_path):
    whole = as_png(Image.fromarray(large(digit)))
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:40]):
        with pytest.raises(ValueError, match="not a whole PNG"):
            preprocess.prepare_file(content)
    gif = io.BytesIO()
    Image.fromarray(large(digit)).save(gif, "GIF")
    with pytest.raises(ValueError, match="not a whole PNG"):
        preprocess.prepare_file(gif.getvalue())
    with pytest.raises(FileNotFoundError, match="no image"):
        preprocess.prepare_file(tmp_path / "missing.png")


def test_too_large_a_picture_is_refused_before_it_is_decoded():
    # A few kilobytes each that would decode to many megapixels.
    for side in (5_000, 10_000, 20_000):
        with pytest.raises(ValueError, match="over 20 million pixels"):
            preprocess.prepare_file(as_png(Image.new("1", (side, side))))


def test_model_input_is_ink_from_zero_to_one(some_digits):
    ink = preprocess.to_input(some_digits.images)
    assert ink.dtype == np.float32
    assert ink.shape == (1000, 28, 28, 1)
    assert ink.min() == 0
    assert ink.max() == 1
    np.testing.assert_array_equal(np.round(ink[..., 0] * 255), some_digits.images)
