"""Several digits on the page: the number, its picture with boxes, one confidence each, and the digit in view."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from digits.checkpoints import recognizer
from digits.preprocess.detection import find_digits
from panels import cache, canvas
from tests.app.apptest import Page, bars, calibrated, certainty, png, prepared, words
from tests.preprocess.test_segmentation import pasted


@pytest.fixture
def at(monkeypatch) -> Page:
    """The page with its quickest panel in view."""
    return Page(monkeypatch).show("My handwriting")


def three(splits) -> np.ndarray:
    """The first three test digits, 7, 2 and 1, as ink on a canvas."""
    picture, _ = pasted(splits.test.images[:3], 3)
    ink = 255 - np.clip((picture.astype(float) - 51) / (230 - 51) * 255, 0, 255)
    blank = np.zeros((canvas.SIDE, canvas.SIDE), np.uint8)
    height, width = ink.shape
    blank[60 : 60 + height, : min(width, canvas.SIDE)] = ink[:, : canvas.SIDE]
    return blank


def captions(at: Page) -> list[str]:
    return [words(caption) for caption in at.find("div", "digits").iter("figcaption")]


def test_drawn_number_is_shown_with_boxes_and_one_confidence_each(at, splits):
    at.stroke(three(splits))
    assert words(at.find("div", "number")) == "721"
    assert "Several digits" in words(at.html)
    assert at.picture("a box around each of 3 digits").ndim == 3
    advanced = recognizer.load("mnist_advanced")
    found = find_digits(255 - three(splits))
    images = [digit.prepared.image for digit in found]
    answers = [calibrated(advanced, image).argmax() for image in images]
    assert captions(at) == [
        f"{answer} {certainty(advanced, image)}" for answer, image in zip(answers, images, strict=True)
    ]
    assert not at.errors


def test_rest_of_the_page_is_about_the_digit_that_is_chosen(at, splits):
    at.stroke(three(splits))
    for place, digit in enumerate(find_digits(255 - three(splits))):
        at.choose("digit_of_3_0", place)
        np.testing.assert_array_equal(255 - at.picture("the 28×28 image"), digit.prepared.image)
        assert words(at.find("span", "answer")) == "721"[place]
        assert len(bars(at)) == 10
    assert not at.show("Compare").errors


def test_model_is_asked_once_for_all_digits(at, splits, monkeypatch):
    asked = []
    opened = cache.open_model("mnist_advanced")
    cache.get_ready(opened)
    ask = opened.recogniser.function
    counted = replace(opened.recogniser, function=lambda ink, names: asked.append(len(ink)) or ask(ink, names))
    monkeypatch.setattr(cache, "open_model", lambda _name: replace(opened, recogniser=counted))
    at.stroke(three(splits))
    assert asked == [3]


def test_mark_beside_a_digit_is_shown_and_the_page_is_about_the_digit(at, splits):
    digit = np.zeros((canvas.SIDE, canvas.SIDE), np.uint8)
    digit[60:200, 130:270] = cv2.resize(splits.test.images[0], (140, 140), interpolation=cv2.INTER_CUBIC)
    at.stroke(cv2.line(digit, (30, 130), (90, 130), 255, 12))
    assert words(at.find("div", "number")) == "?7"
    assert "More than a digit" in words(at.html)
    assert words(at.find("span", "answer")) == "7"
    assert not at.errors


def test_page_of_digits_on_its_side_is_turned(at, splits):
    page, _ = pasted(splits.test.images[:6], 3)
    at.set(source="Upload").upload(png(np.ascontiguousarray(np.rot90(page))))
    assert words(at.find("div", "number")) == "721 041"
    assert "turned by 90° clockwise" in at.everything()
    assert not at.errors


def test_single_digit_is_shown_as_ever(at, splits):
    at.draw(splits.test.images[0])
    assert not at.find_all("div", "number")
    assert "Several" not in at.everything()
    np.testing.assert_array_equal(255 - at.picture("the 28×28 image"), prepared(at.drawing).image)


def test_number_comes_and_goes_with_its_strokes(at, splits):
    both = three(splits)
    first = np.where(np.arange(canvas.SIDE) < 100, both, 0)
    at.stroke(first)
    assert not at.find_all("div", "number")
    assert words(at.stroke(both).find("div", "number")) == "721"
    assert not at.undo().find_all("div", "number")
    assert words(at.redo().find("div", "number")) == "721"


def test_uploaded_page_is_read_row_by_row(at, splits):
    picture, _ = pasted(splits.test.images[:8], 4)
    at.set(source="Upload").upload(png(picture))
    assert words(at.find("div", "number")) == "7210 4149"
    assert [caption[0] for caption in captions(at)] == list("72104149")


def test_touching_digits_are_doubtful(at):
    page = np.full((160, 520), 255, np.uint8)
    draw_ring(page, 70, 190, 284, 410)
    at.set(source="Upload").upload(png(page))
    assert [caption.split()[0] for caption in captions(at)] == ["0", "0?", "0?", "0"]
    assert "Doubtful: digits 2 and 3: cut apart where two digits seemed to touch" in words(at.html)


def draw_ring(page: np.ndarray, *places: int) -> None:
    rows, columns = np.indices(page.shape)
    for x in places:
        distance = np.hypot((columns - x) / 40, (rows - 80) / 50)
        page[np.abs(distance - 1) < 0.16] = 0


@pytest.mark.parametrize("kind", ["noise", "blank"])
def test_pictures_without_digits_show_no_number(at, kind, rng):
    page = rng.integers(0, 256, (280, 280), dtype=np.uint8) if kind == "noise" else np.full((90, 90), 255, np.uint8)
    at.set(source="Upload").upload(png(page))
    assert not at.find_all("div", "number")
    assert len(at.errors) == (kind == "blank")
