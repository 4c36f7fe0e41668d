"""The page as a whole, without a browser: drawing, verdict, what the model sees, and every panel with every model."""

import cv2
import numpy as np
import pytest

from digits.checkpoints import recognizer
from digits.recognition import familiarity
from panels import cache, canvas, compare, draw, stress, why
from panels.handwriting import panel as handwriting_panel
from panels.models import charts
from panels.models import panel as models_panel
from tests.app.apptest import (
    PANELS,
    SHIPPED,
    Page,
    bars,
    calibrated,
    enlarged,
    in_percent,
    paths_in,
    png,
    prepared,
    words,
)

# Test digits that the default model reads rightly and finds familiar, one of each.
ONE_OF_EACH = (3, 2, 1, 30, 4, 15, 11, 0, 61, 7)


@pytest.fixture
def at(monkeypatch) -> Page:
    """The page with its quickest panel in view."""
    return Page(monkeypatch).show("My handwriting")


def test_blank_canvas_says_that_nothing_is_drawn(at):
    assert at.verdict == "? Nothing drawn Draw a digit from 0 to 9; the answer follows the pen."
    assert not bars(at)
    assert not at.find_all("figure", "seen")
    assert not at.errors
    for panel in ("Why", "Compare", "Stress"):
        assert "Draw a digit first." in at.show(panel).captions


@pytest.mark.parametrize("paper", ["Light", "Dark"])
def test_ten_real_digits_get_the_answers_and_percentages_of_the_recogniser(at, paper, advanced, splits):
    at.set(canvas_paper=paper)
    for digit, place in enumerate(ONE_OF_EACH):
        at.draw(splits.test.images[place])
        expected = calibrated(advanced, prepared(at.drawing).image)
        assert expected.argmax() == splits.test.labels[place] == digit
        assert words(at.find("span", "answer")) == f"{digit}"
        assert f"{in_percent(expected[digit])} sure" in at.verdict
        assert bars(at) == {each: in_percent(value) for each, value in enumerate(expected)}
        assert words(at.find("div", "best")).startswith(f"{digit} ")
        at.clear()
        assert "Nothing drawn" in at.verdict


def test_bars_are_as_long_as_the_probabilities(at, said):
    at.sample(place := int(said.max(axis=1).argmin()))
    lengths = [float(bar[1][0].get("style").removeprefix("width:").rstrip("%")) for bar in at.find_all("div", "bar")]
    np.testing.assert_allclose(lengths, 100 * said[place], atol=0.051)


def test_familiar_answer_is_sure_from_the_threshold_on(at, advanced, said, monkeypatch):
    monkeypatch.setattr(familiarity, "can_judge", lambda _recogniser: False)
    confidence, threshold = said.max(axis=1), advanced.card["sure"]["threshold"]
    below = np.where(confidence < threshold, confidence, -1).argmax()
    above = np.where(confidence >= threshold, confidence, 2).argmin()
    for place, is_sure in ((confidence.argmin(), False), (below, False), (above, True), (confidence.argmax(), True)):
        at.sample(int(place))
        first, second, third = (f"{each} ({in_percent(said[place, each])})" for each in np.argsort(-said[place])[:3])
        after = f"Next: {second} and {third}" if is_sure else f"Perhaps {first}, or else {second} and {third}"
        assert after in at.verdict
        assert ("Not sure" in at.verdict) is not is_sure
        assert at.find("div", "verdict").get("class").split()[1] == ("sure" if is_sure else "unsure")


def test_what_looks_unlike_all_digits_is_not_sure(at, advanced, splits):
    """A crossed-out circle, of which the model itself is sure."""
    crossed = cv2.circle(np.full((280, 280), 255, np.uint8), (140, 140), 80, 0, 16, cv2.LINE_AA)
    crossed = cv2.line(crossed, (60, 60), (220, 220), 0, 16, cv2.LINE_AA)
    expected = calibrated(advanced, prepared(png(crossed)).image)
    assert expected.max() > advanced.card["sure"]["threshold"]
    first, second, third = (f"{each} ({in_percent(expected[each])})" for each in np.argsort(-expected)[:3])
    at.set(source="Upload").upload(png(crossed))
    assert "Looks like no digit It is unlike the digits that this model learned from." in at.verdict
    assert f"If it is one: {first}, or else {second} and {third}" in at.verdict
    assert "unsure" in at.find("div", "verdict").get("class")
    # A network without convolutions says what it always says.
    assert "unlike" not in at.set(model="mnist_mlp").verdict
    at.set(model="mnist_advanced").upload(png(255 - enlarged(splits.test.images[0])))
    assert "unlike" not in at.verdict


def test_labels_of_samples_say_whether_the_answer_is_right(at, said, splits):
    is_right = said.argmax(axis=1) == splits.test.labels[: len(said)]
    for places, word in ((np.flatnonzero(is_right), "right"), (np.flatnonzero(~is_right), "wrong")):
        for place in places[:3]:
            at.sample(int(place))
            assert f"The true digit is {splits.test.labels[place]}: {word}." in at.verdict
    assert "true digit" not in at.set(source="Draw").draw(splits.test.images[0]).verdict


def test_model_sees_the_prepared_drawing_and_the_page_says_how(at, splits):
    at.draw(splits.test.images[3])
    expected = prepared(at.drawing)
    np.testing.assert_array_equal(255 - at.picture("the 28×28 image"), expected.image)
    (expander,) = [each for each in at.app.expander if each.label == "Preprocessing steps"]
    assert expander.markdown[0].value == "\n".join(f"- {step}" for step in expected.steps)
    assert len(expected.steps) >= 3


def test_answer_comes_after_every_stroke(at, advanced, splits):
    """A digit of two halves: the page answers to the upper one alone, then to both."""
    ink = enlarged(splits.test.images[ONE_OF_EACH[5]])
    upper, lower = np.where(
        np.arange(canvas.SIDE)[:, None] < 140, [[ink], [np.zeros_like(ink)]], [[np.zeros_like(ink)], [ink]]
    )[:, 0]
    seen = []
    for stroke in (upper, lower):
        at.stroke(stroke)
        image = prepared(at.drawing).image
        np.testing.assert_array_equal(255 - at.picture("the 28×28 image"), image)
        assert words(at.find("span", "answer")) == f"{advanced.predict_proba(image[None]).argmax()}"
        seen.append(at.verdict)
    assert seen[0] != at.undo().redo().verdict == seen[1]
    assert at.undo().verdict == seen[0]


@pytest.mark.usefixtures("few_test_digits")
@pytest.mark.parametrize("name", SHIPPED)
def test_every_panel_works_with_every_model(at, name, splits, monkeypatch):
    monkeypatch.setattr(cache, "tensorflow_is_ready", lambda: False)
    at.set(model=name).draw(splits.test.images[0])
    expected = calibrated(recognizer.load(name), prepared(at.drawing).image)
    assert bars(at) == {each: in_percent(value) for each, value in enumerate(expected)}
    for panel in PANELS:
        at.show(panel)
        assert not at.errors
        assert all("has no convolutional layer" in each for each in at.warnings)
        assert not paths_in(at.everything())
        assert len(at.everything()) > 3000


def test_pen_and_paper_reach_the_canvas(at):
    assert at.canvas.pen == canvas.Pen(18, "auto")
    at.set(canvas_paper="Dark", brush=31)
    assert at.canvas.pen == canvas.Pen(31, "dark")


def test_other_paper_keeps_the_drawing(at, splits):
    verdict = at.draw(splits.test.images[0]).verdict
    assert at.set(canvas_paper="Dark").verdict == verdict


def test_drawing_is_kept_while_something_else_is_looked_at(at, splits):
    before = at.draw(splits.test.images[0]).verdict
    assert at.sample(1).verdict != before
    assert at.set(source="Draw").verdict == before
    assert "Nothing drawn" in at.undo().verdict


# Pictures that were not drawn here


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_uploaded_pictures_are_prepared_and_recognised(at, kind, advanced, splits):
    content = png(255 - enlarged(splits.test.images[0]), kind)
    at.set(source="Upload").upload(content)
    image = prepared(content).image
    np.testing.assert_array_equal(255 - at.picture("the 28×28 image"), image)
    expected = calibrated(advanced, image)
    assert bars(at) == {each: in_percent(value) for each, value in enumerate(expected)}


def test_photo_from_the_camera_is_recognised(at, splits):
    content = png(255 - enlarged(splits.test.images[0]), "JPEG")
    at.set(source="Camera")
    at.app.camera_input(key="camera").set_value(("photo.jpg", content, "image/jpeg"))
    at.run()
    np.testing.assert_array_equal(255 - at.picture("the 28×28 image"), prepared(content).image)


WHITE = np.full((280, 280), 255, np.uint8)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (png(WHITE), "nothing is drawn on it"),
        (png(WHITE[:1, :1]), "nothing is drawn on it"),
        (png(WHITE, "PCX"), "not a valid PNG, JPEG, BMP, WEBP, TIFF, GIF, AVIF or PPM image"),
        (png(np.arange(256, dtype=np.uint8).repeat(300).reshape(256, 300), "JPEG")[:900], "not a valid JPEG image"),
        (b"", "not a valid PNG"),
        (png(np.zeros((10_000, 5_001), np.uint8)), "5001×10000 is over 50 million pixels; scale it down"),
    ],
    ids=["blank", "one pixel", "PCX renamed", "truncated", "empty", "too large"],
)
def test_what_is_no_picture_of_a_digit_gets_a_sentence_and_the_app_goes_on(at, content, sentence, splits):
    at.set(source="Upload").upload(content)
    for _ in range(2):
        assert [sentence in each for each in at.errors] == [True]
        assert not at.find_all("figure", "seen")
        at.run()
    at.upload(png(255 - enlarged(splits.test.images[0])))
    assert not at.errors
    assert words(at.find("span", "answer")) == "7"


def test_odd_pictures_are_answered_without_an_error(at, rng):
    """A scribble and noise are no digits, but whoever asks gets an answer."""
    scribble = np.zeros((280, 280), np.uint8)
    for row, column in rng.integers(20, 260, (40, 2)):
        scribble[row : row + 9, column : column + 60] = 255
    for picture in (scribble, rng.integers(0, 256, (300, 200), dtype=np.uint8)):
        at.set(source="Upload").upload(png(picture))
        assert not at.errors
        assert len(bars(at)) == 10


def test_samples_are_the_first_of_each_digit(at, splits):
    at.set(source="Samples")
    for digit in range(10):
        at.choose("sample_digit", digit)
        place = list(splits.test.labels).index(digit)
        np.testing.assert_array_equal(255 - at.picture(f"test digit {place}"), splits.test.images[place])
        np.testing.assert_array_equal(255 - at.picture("the 28×28 image"), splits.test.images[place])


def test_random_samples_differ_and_are_labelled(at, splits):
    at.set(source="Samples")
    seen = set()
    for _ in range(5):
        at.click("A random test digit")
        seen.add(at.app.session_state["sample"])
        assert f"The true digit is {splits.test.labels[at.app.session_state['sample']]}" in at.verdict
    assert len(seen) > 1


def test_chosen_sample_stays_chosen_while_something_else_is_looked_at(at):
    at.set(source="Samples").choose("sample_digit", 7).set(source="Draw").set(source="Samples")
    assert "The true digit is 7" in at.verdict
    assert at.app.session_state["sample_digit"] == 7


# What goes wrong


# Where a mistake is made, and in which panel it shows.
BREAKABLE = {
    "Why": (why, "show", "Why"),
    "Compare": (compare, "show", "Compare"),
    "Stress": (stress, "show", "Stress"),
    "Models": (models_panel, "show", "Models"),
    "My handwriting": (handwriting_panel, "show", "My handwriting"),
    "The heat map": (why, "_show_heat", "Why"),
    "The search for similar digits": (why, "_show_similar_digits", "Why"),
    "The search for the fewest pixels": (why, "_show_fewest_pixels", "Why"),
    "Robustness": (charts, "robustness", "Models"),
    "Calibration": (charts, "calibration", "Models"),
    "Training": (charts, "training", "Models"),
    "Errors": (charts, "errors", "Models"),
    "Saving": (handwriting_panel, "_offer_to_save", "My handwriting"),
    "The canvas": (draw, "_from_canvas", "Why"),
    "The model": (draw, "judge", "Why"),
}


@pytest.mark.usefixtures("few_test_digits")
@pytest.mark.parametrize("name", BREAKABLE)
def test_mistake_of_ours_is_one_sentence_in_its_place_and_a_traceback_in_the_log(at, name, splits, monkeypatch, caplog):
    def broken(*_arguments, **_options):
        raise RuntimeError("a secret of the server")

    module, function, panel = BREAKABLE[name]
    at.draw(splits.test.images[0]).show(panel)
    if module is charts:
        at.set(chart=name)
    monkeypatch.setattr(module, function, broken)
    at.run()
    assert at.errors == [f"{name} failed. The rest of the page works; the server's log says what happened."]
    assert "secret" not in at.everything()
    assert bool(bars(at)) is (name not in ("The canvas", "The model"))
    (record,) = [each for each in caplog.records if each.name == "digits.app"]
    assert record.exc_info[1].args == ("a secret of the server",)
