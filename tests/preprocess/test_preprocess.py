"""Real digits rendered as pictures of many kinds, and preprocessed back."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import preprocess
from digits.checkpoints import recognizer
from digits.images import to_input


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
    """The official files are the oracle: preparing one of them, as it is or large, must reproduce it."""
    changes = [difference(preprocess.prepare(image).image, image) for image in some_digits.images[:150]]
    assert np.median(changes) < 1
    enlarged = [difference(preprocess.prepare(large(image)).image, image) for image in some_digits.images[:150]]
    assert np.median(enlarged) < 10


def test_polarity_does_not_matter(digit):
    light, dark = preprocess.prepare(large(digit)), preprocess.prepare(255 - large(digit))
    np.testing.assert_array_equal(light.image, dark.image)
    assert "light ink on dark paper" in light.steps
    assert "dark ink on light paper" in dark.steps


def test_position_and_size_do_not_matter(some_digits):
    changes = []
    for image in some_digits.images[:50]:
        ink = large(image, 140)
        page = np.full((400, 300), 255, np.uint8)
        page[230:370, 20:160] = 255 - ink
        changes.append(difference(preprocess.prepare(page).image, preprocess.prepare(ink).image))
    assert np.median(changes) < 1
    # A pixel's shift is the most.
    assert max(changes) < 22


def page_with(image: np.ndarray, side: int = 300) -> np.ndarray:
    """A digit as dark ink on light paper, a third of the picture's width, left of its middle, float64."""
    page = np.full((300, 300), 230.0)
    ink = large(image, side // 2) / 255
    page[70 : 70 + side // 2, 40 : 40 + side // 2] *= 1 - 0.7 * ink
    return page


def shadow_on_one_half(page: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(page.shape)
    return page * np.where(rows + 0.4 * columns > 200, 0.45, 1)


def growing_shade(page: np.ndarray) -> np.ndarray:
    return page * np.linspace(0.4, 1, page.shape[1])


def squared_paper(page: np.ndarray) -> np.ndarray:
    lines = np.ones_like(page)
    lines[::23] = lines[:, 11::23] = 0.75
    return page * lines


def ruled_as_dark_as_the_ink(page: np.ndarray) -> np.ndarray:
    lines = np.ones_like(page)
    for y in range(15, 300, 60):
        cv2.line(lines, (0, y), (300, y + 9), 0.4, 2)
    return page * lines


def black_frame(page: np.ndarray) -> np.ndarray:
    return np.pad(page, ((9, 0), (0, 14)))


def frame_all_around(page: np.ndarray) -> np.ndarray:
    return np.pad(page, 6)


def dark_desk(page: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(page.shape)
    return np.where(rows < 10 + columns / 10, 60, page)


def desk_in_two_corners(page: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(page.shape)
    return np.where((rows - 0.8 * columns > 190) | (columns - 1.5 * rows > 160), 50 + rows / 20, page)


def shadow_in_a_corner(page: np.ndarray) -> np.ndarray:
    """Over most of the digit."""
    rows, columns = np.indices(page.shape)
    return page * np.where(rows + 0.7 * columns < 300, 0.5, 1)


def faint_pencil(page: np.ndarray) -> np.ndarray:
    return 230 - (230 - page) / 4


def grain(page: np.ndarray) -> np.ndarray:
    return page + np.random.default_rng(0).normal(0, 12, page.shape)


def specks(page: np.ndarray) -> np.ndarray:
    for place in ((20, 250), (280, 20), (250, 260)):
        cv2.circle(page, place, 3, 30, -1)
    return page


@pytest.mark.parametrize(
    "damage",
    [
        shadow_on_one_half,
        growing_shade,
        squared_paper,
        ruled_as_dark_as_the_ink,
        black_frame,
        frame_all_around,
        dark_desk,
        desk_in_two_corners,
        shadow_in_a_corner,
        faint_pencil,
        grain,
        specks,
        lambda page: 255 - page,
        lambda page: 255 - shadow_on_one_half(page),
        lambda page: growing_shade(faint_pencil(page)),
    ],
)
def test_a_digit_on_a_real_page_is_the_same_digit(some_digits, damage):
    """The oracle is the page without damage: the picture changes little, and hardly any of the CNN's answers does."""
    pages = [page_with(image) for image in some_digits.images[:40]]
    plain = np.stack([preprocess.prepare(page.astype(np.uint8)).image for page in pages])
    damaged = [np.clip(damage(page.copy()), 0, 255).astype(np.uint8) for page in pages]
    prepared = np.stack([preprocess.prepare(page).image for page in damaged])
    changes = [difference(a, b) for a, b in zip(prepared, plain, strict=True)]
    assert np.median(changes) < 15
    cnn = recognizer.load("mnist_cnn")
    answers = cnn.predict_proba(prepared).argmax(axis=1)
    assert np.mean(answers == cnn.predict_proba(plain).argmax(axis=1)) >= 0.95


@pytest.mark.parametrize("ink_is_dark", [True, False])
def test_enlarged_digits_are_read_as_well_as_they_were(some_digits, ink_is_dark):
    digits = some_digits.first(200)
    pictures = [255 - large(image) if ink_is_dark else large(image) for image in digits.images]
    prepared = np.stack([preprocess.prepare(picture).image for picture in pictures])
    cnn = recognizer.load("mnist_cnn")
    right, before = (
        np.sum(cnn.predict_proba(images).argmax(axis=1) == digits.labels) for images in (prepared, digits.images)
    )
    assert right >= before - 1


@pytest.mark.parametrize(("drawn", "least", "most"), [(1, 2, 2.8), (6, 2, 2.8), (30, 2.6, 3.2), (80, 3, 3.8)])
def test_a_ring_gets_a_stroke_as_wide_as_in_mnist(drawn, least, most):
    """The stroke width is the area of the ink divided by the length of the centre line."""
    page = np.full((280, 280), 255, np.uint8)
    cv2.circle(page, (140, 140), 90, 0, drawn, cv2.LINE_AA)
    image = preprocess.prepare(page).image
    ink = image.sum() / 255
    # The ring's outer diameter is 20.
    width = 10 - np.sqrt(100 - ink / np.pi)
    assert least < width < most


def test_usual_strokes_stay_as_they_are(some_digits):
    widened = [any("stroke" in step for step in preprocess.prepare(large(i)).steps) for i in some_digits.images[:200]]
    assert np.mean(widened) < 0.2


def test_a_small_loop_stays_open():
    page = np.full((280, 280), 255, np.uint8)
    cv2.circle(page, (140, 60), 12, 0, 2, cv2.LINE_AA)
    cv2.line(page, (140, 72), (140, 250), 0, 2, cv2.LINE_AA)
    image = preprocess.prepare(page).image
    holes = cv2.connectedComponents((image < 128).astype(np.uint8), connectivity=4)[0] - 2
    assert holes == 1


def test_a_bar_that_does_not_touch_belongs_to_the_digit():
    page = np.full((280, 280), 255, np.uint8)
    cv2.ellipse(page, (120, 180), (45, 45), 0, -120, 130, 0, 8, cv2.LINE_AA)
    cv2.line(page, (95, 140), (100, 70), 0, 8, cv2.LINE_AA)
    without_bar = preprocess.prepare(page)
    cv2.line(page, (120, 60), (170, 55), 0, 8, cv2.LINE_AA)
    with_bar = preprocess.prepare(page)
    assert not any("left out" in step for step in with_bar.steps)
    assert with_bar.image[:8, 14:].sum() > without_bar.image[:8, 14:].sum() + 5 * 255


def test_the_bar_of_a_tightly_cropped_seven_is_not_a_frame():
    page = np.full((200, 140), 240, np.uint8)
    columns = np.arange(140)
    for column, thickness in zip(columns, 18 + 4 * np.sin(columns / 9), strict=True):
        page[: int(thickness), column] = 30
    cv2.line(page, (130, 10), (50, 199), 30, 18)
    prepared = preprocess.prepare(page)
    assert not any("frame" in step for step in prepared.steps)
    assert recognizer.load("mnist_advanced").predict_proba(prepared.image[None]).argmax() == 7


def test_a_stroke_from_corner_to_corner_is_not_a_desk():
    page = np.full((200, 140), 240, np.uint8)
    cv2.line(page, (0, 199), (139, 0), 30, 24)
    prepared = preprocess.prepare(page)
    assert not any("beyond the paper" in step for step in prepared.steps)
    assert recognizer.load("mnist_advanced").predict_proba(prepared.image[None]).argmax() == 1


def test_tightly_cropped_digits_keep_their_strokes(some_digits):
    """Nor is the paper that the strokes of a 4 or a 7 enclose taken for a sheet on a desk."""
    changes = []
    for image in some_digits.images[:200]:
        x, y, width, height = cv2.boundingRect(image)
        tight = 255 - cv2.resize(
            image[y : y + height, x : x + width], None, fx=12, fy=12, interpolation=cv2.INTER_CUBIC
        )
        # Not even a border of paper: where ink makes up most of it, nobody could tell ink from paper.
        if (tight < 128).mean() < 0.45:
            changes.append(difference(preprocess.prepare(tight).image, preprocess.prepare(large(image)).image))
    assert len(changes) > 150
    assert np.median(changes) < 10
    # A stroke that is missing changes more.
    assert np.mean(np.array(changes) < 25) > 0.99


def test_centre_of_mass_is_in_the_middle(some_digits):
    rows, columns = np.indices((28, 28))
    for image in some_digits.images[:50]:
        prepared = preprocess.prepare(np.roll(large(image), 20, axis=1)).image.astype(float)
        assert np.average(columns, weights=prepared) == pytest.approx(14, abs=0.6)
        assert np.average(rows, weights=prepared) == pytest.approx(14, abs=0.6)


def test_specks_are_removed(digit):
    page = large(digit)
    clean = preprocess.prepare(page).image
    page[5:8, 5:8] = 255
    prepared = preprocess.prepare(page)
    np.testing.assert_array_equal(prepared.image, clean)
    assert "removed 1 part that didn't belong to the digit" in prepared.steps


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_picture_is_refused(level):
    with pytest.raises(ValueError, match="nothing is drawn"):
        preprocess.prepare(np.full((280, 280), level, np.uint8))


def test_faintly_noisy_paper_is_blank(rng):
    with pytest.raises(ValueError, match="nothing is drawn"):
        preprocess.prepare(rng.integers(246, 255, (280, 280)).astype(np.uint8))


def test_fully_transparent_picture_is_blank():
    with pytest.raises(ValueError, match="nothing is drawn"):
        preprocess.prepare_file(as_png(Image.new("RGBA", (100, 100), (0, 0, 0, 0))))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (3000, 40), (1, 3000), (3000, 1)])
def test_odd_shapes_are_read_or_refused_without_a_crash(shape):
    grey = np.full(shape, 255, np.uint8)
    grey[shape[0] // 2 :, shape[1] // 2 :] = 0
    if grey.min() == grey.max():
        with pytest.raises(ValueError, match="nothing is drawn"):
            preprocess.prepare(grey)
    else:
        assert preprocess.prepare(grey).image.shape == (28, 28)


def test_two_distant_faint_dots_do_not_round_to_zero():
    grey = np.full((400, 400), 200, np.uint8)
    grey[2:4, 2:4] = grey[397:399, 397:399] = 150
    image = preprocess.prepare(grey).image
    assert image.max() == 255


def test_model_input_is_ink_from_zero_to_one(some_digits):
    ink = to_input(some_digits.images)
    assert ink.dtype == np.float32
    assert ink.shape == (1000, 28, 28, 1)
    assert ink.min() == 0
    assert ink.max() == 1
    np.testing.assert_array_equal(np.round(ink[..., 0] * 255), some_digits.images)
