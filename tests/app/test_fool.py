"""Fool it: pixels that change the answer, found or undone, and what fooled the model kept under its true digit."""

import numpy as np
import pytest

from digits import paths, preprocess
from digits.checkpoints import recognizer

from .apptest import Page, calibrated, words

PLACE = 0


@pytest.fixture
def at(monkeypatch, tmp_path) -> Page:
    monkeypatch.setattr(paths, "MY_DIGITS", tmp_path)
    return Page(monkeypatch).set(model="mnist_cnn").show("Stress").sample(PLACE)


def said(at: Page) -> str:
    """What the game says of the changed digit."""
    return words(at.find_all("div", "mixture")[0])


@pytest.mark.parametrize("name", ["mnist_logistic", "mnist_cnn"])
def test_the_fewest_pixels_change_the_answer_and_can_be_undone(at, name, splits):
    at.set(model=name)
    assert said(at).startswith("7 No change: still a 7")
    at.click("Find the fewest pixels")
    _, flipped = at.app.session_state.fooled
    image = splits.test.images[PLACE].copy()
    image.flat[flipped] = np.where(image.flat[flipped] < 128, 255, 0)
    answer = int(calibrated(recognizer.load(name), image).argmax())
    assert answer != 7
    assert f"{len(flipped)} changed pixels: fooled, 7 → {answer}" in said(at)
    at.click("Undo")
    # Pruned pixels are all needed.
    assert f"{len(flipped)} changed pixel" in said(at)
    assert "still a 7" in said(at)
    at.click("Reset")
    assert said(at).startswith("7 No change")


def test_what_fooled_the_model_is_kept_under_the_digit_that_a_person_reads(at, tmp_path):
    at.click("Find the fewest pixels").click("Keep as a hard example")
    (file,) = tmp_path.rglob("*.png")
    assert file.parent.name == "7"
    image = at.app.session_state.fooled[0]
    saved = 255 - preprocess.read_grey(file)
    assert (saved.ravel() != np.frombuffer(image, np.uint8)).sum() == len(at.app.session_state.fooled[1])


def test_another_digit_begins_anew(at):
    at.click("Find the fewest pixels")
    assert "fooled" in said(at)
    at.sample(1)
    assert said(at).startswith("2 No change: still a 2")
    assert not any(button.label.startswith("Keep") for button in at.app.button)
