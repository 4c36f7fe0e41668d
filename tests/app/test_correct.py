"""Correcting an answer, without a browser: it counts at once, is kept, and can be changed and undone."""

from contextlib import suppress

import numpy as np
import pytest

from digits import data
from digits.handwriting import corrections
from panels import cache
from tests.app.apptest import Page, bars, words
from tests.app.test_number import three

LABEL = "No, it's:"


@pytest.fixture
def at(folder, monkeypatch) -> Page:
    return Page(monkeypatch).show("My handwriting")


@pytest.fixture(scope="module")
def misread() -> np.ndarray:
    """Digits of one person, 9s that the default model takes for 1s and 3s, uint8 (N, 28, 28)."""
    stored = data.style_arrays("images", "labels", "source")
    is_nine = (stored["source"] == "written/00") & (stored["labels"] == 9)
    images = stored["images"][is_nine]
    return images[cache.open_model("mnist_advanced").recogniser.predict_proba(images).argmax(axis=1) != 9]


def correct(at: Page, digit: int) -> Page:
    (choice,) = [each for each in at.app.button_group if each.label == LABEL]
    choice.set_value(digit)
    return at.run()


def kept(at: Page) -> list[str]:
    return [caption for caption in at.captions if "Kept as" in caption]


def test_a_correction_counts_at_once_also_for_similar_digits_and_can_be_undone(at, folder, misread):
    first, *others = misread[:4]
    alone = [at.clear().draw(image).verdict for image in others]
    before = at.clear().draw(first).verdict
    wrong = words(at.find("span", "answer"))
    correct(at, 9)
    assert words(at.find("span", "answer")) == "9"
    assert f"As you taught it; by itself, the model reads {wrong}." in at.verdict
    assert float(bars(at)[9].rstrip(" %")) > 99
    assert kept(at) == ["Kept as a 9 in my_digits/9/. It counts from now on, and in the next fine-tuning."]
    (file,) = folder.rglob("*.png")
    assert file.parent.name == "9"
    taught = [words(at.clear().draw(image).find("span", "answer")) for image in others]
    assert taught.count("9") > [each[0] for each in alone].count("9")
    assert not kept(at)
    at.clear().draw(first).click("Undo correction")
    assert at.verdict == before
    assert not list(folder.rglob("*.png"))
    assert [at.clear().draw(image).verdict for image in others] == alone
    assert not at.errors


def test_the_last_word_counts_and_the_answer_itself_is_no_correction(at, folder, splits):
    at.draw(splits.test.images[0])
    correct(at, 7)
    assert "7 is the answer already, so there is nothing to correct." in at.captions
    assert not list(folder.rglob("*.png"))
    for digit in (1, 2):
        correct(at, digit)
        assert words(at.find("span", "answer")) == f"{digit}"
        assert [file.parent.name for file in folder.rglob("*.png")] == [f"{digit}"]
    assert not at.errors


def test_a_model_without_features_says_what_the_correction_is_good_for(at, splits):
    at.set(model="mnist_random_forest").draw(splits.test.images[0])
    before = at.verdict
    correct(at, 1)
    assert at.verdict == before
    (sentence,) = kept(at)
    assert sentence.startswith("Kept as a 1 in my_digits/1/ for fine-tuning and for other models: mnist_random_forest")
    assert at.set(model="mnist_mlp").verdict[0] == "1"


def test_one_of_several_digits_is_corrected(at, splits):
    at.stroke(three(splits)).choose("digit_of_3_0", 1)
    correct(at, 3)
    assert words(at.find("div", "number")) == "731"
    assert words(at.find("span", "answer")) == "3"
    assert not at.errors


def test_a_folder_that_cannot_be_written_to_gets_a_sentence_and_the_answer_stays(at, folder, splits):
    (folder / "1").write_text("a file where the folder should be")
    at.draw(splits.test.images[0])
    correct(at, 1)
    (sentence,) = at.errors
    assert sentence.startswith("can't write to the output folder")
    assert words(at.find("span", "answer")) == "7"


def test_a_damaged_correction_gets_a_sentence_and_the_others_count(at, folder, splits):
    at.draw(splits.test.images[0])
    correct(at, 1)
    (folder / "1" / "corrected-0.png").write_text("not a picture")
    at.run()
    assert words(at.find("span", "answer")) == "1"
    assert [each for each in at.warnings if each.startswith("The correction my_digits/1/corrected-0.png doesn't count")]


def test_the_public_page_takes_no_corrections(at, folder, splits, monkeypatch):
    corrections.keep(splits.test.images[0], 1, folder)
    monkeypatch.setattr(cache, "IS_PUBLIC", True)
    assert at.sample(0).verdict[0] == "7"
    with suppress(KeyError):
        assert LABEL not in [each.label for each in at.app.button_group]
