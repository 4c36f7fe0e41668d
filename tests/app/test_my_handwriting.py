"""My handwriting, without a browser: digits saved, counted, listed and removed, and models compared on them."""

import json

import numpy as np
import pytest
from PIL import Image

from digits import paths, preprocess
from digits.checkpoints import recognizer
from digits.handwriting import collection
from digits.metrics import intervals
from panels import cache
from tests.app.apptest import SHIPPED, Page, borrow_models, cells, enlarged, paths_in, pixels, rows, words
from tests.support import digit_counts


@pytest.fixture
def at(folder, monkeypatch) -> Page:
    return Page(monkeypatch).show("My handwriting")


@pytest.fixture
def kept(folder, some_digits) -> list[tuple[np.ndarray, int]]:
    """Thirty digits in the collection, as images and labels."""
    digits = some_digits.first(30)
    for image, label in zip(digits.images, digits.labels, strict=True):
        collection.save(255 - enlarged(image), int(label), folder)
    return [(entry.image, entry.digit) for entry in collection.entries(folder)]


def shelves(at: Page) -> list[list[np.ndarray]]:
    """The pictures on the shelf of each digit."""
    return [[255 - pixels(picture) for picture in shelf.iter("img")] for shelf in at.find_all("div", "shelf")]


def test_empty_collection_says_how_to_begin(at):
    assert "Draw a digit to save it." in at.captions
    assert any(each.startswith("Nothing is saved yet.") for each in at.captions)


def test_drawing_is_saved_once_under_the_digit_that_is_chosen(at, folder, splits):
    at.draw(splits.test.images[0]).click("Save it as a 7")
    (file,) = folder.rglob("*.png")
    assert file.parent == folder / "7"
    np.testing.assert_array_equal(np.asarray(Image.open(file)), preprocess.read_grey(at.drawing))
    assert [each.value for each in at.app.toast] == [f"Saved as my_digits/7/{file.name}"]
    assert [len(shelf) for shelf in shelves(at)] == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    at.click("Save it as a 7")
    assert list(folder.rglob("*.png")) == [file]


def test_drawing_can_be_saved_as_what_it_really_is_but_not_as_two_digits(at, folder, splits):
    at.draw(splits.test.images[0]).choose("true canvas 0 7", 1).click("Save it as a 1")
    (file,) = folder.rglob("*.png")
    assert file.parent == folder / "1"
    at.choose("true canvas 0 7", 7).click("Save it as a 7")
    (sentence,) = at.errors
    assert "is already saved as a 1" in sentence
    assert list(folder.rglob("*.png")) == [file]


def test_true_digit_of_a_sample_is_the_first_choice(at, splits):
    """Test digit 8 is a 5 that the logistic model takes for a 6."""
    assert "6 " in at.set(model="mnist_logistic").sample(8).verdict[:2]
    assert [each.label for each in at.app.button if each.label.startswith("Save")] == ["Save it as a 5"]


def test_correction_does_not_stick_to_the_next_drawing(at):
    at.sample(0).choose("true test digit 0 7", 1).sample(17)
    assert [each.label for each in at.app.button if each.label.startswith("Save")] == ["Save it as a 7"]


def test_collection_is_shown_by_digit(at, kept, folder):
    at.run()
    assert "30 digits in my_digits/" in [words(each) for each in at.find_all("p", "heading")]
    found = shelves(at)
    for digit in range(10):
        expected = [image for image, label in kept if label == digit]
        assert len(found[digit]) == len(expected) == digit_counts(folder)[digit]
        for each, other in zip(found[digit], expected, strict=True):
            np.testing.assert_array_equal(each, other)


def test_only_the_last_twenty_of_a_digit_are_shown(at, folder, splits):
    for image in splits.train.images[splits.train.labels == 3][:23]:
        collection.save(255 - enlarged(image), 3, folder)
    shelf = at.run().find_all("div", "shelf")[3]
    assert len(list(shelf.iter("img"))) == 20
    assert words(shelf).endswith("and 3 more")
    np.testing.assert_array_equal(shelves(at)[3][-1], collection.entries(folder)[-1].image)


def test_counts_say_what_is_missing(at, folder, splits):
    def keep(digit: int, start: int, end: int) -> None:
        for image in splits.train.images[splits.train.labels == digit][start:end]:
            collection.save(255 - enlarged(image), digit, folder)

    for digit in range(10):
        keep(digit, 0, 1 if digit == 4 else 3)
    assert "Fine-tuning needs at least 3 of each digit: 2 more of 4." in at.run().captions
    assert words(at.find_all("div", "shelf")[4]) == "4 1"
    for digit in range(10):
        keep(digit, 1 if digit == 4 else 3, 9 if digit in (2, 8) else 10)
    assert any(each.endswith("there are fewer of 2 and 8.") for each in at.run().captions)
    keep(2, 9, 10)
    keep(8, 9, 10)
    assert "At least ten of each: a good start for fine-tuning." in at.run().captions


@pytest.mark.parametrize(("learnt", "is_marked"), [("my_digits", True), ("sample", False)])
def test_model_fine_tuned_on_these_digits_is_marked(at, kept, folder, monkeypatch, learnt, is_marked):
    (folder / "checkout").mkdir()
    card = borrow_models(monkeypatch, folder / "checkout", "mnist_cnn", "mnist_logistic") / "mnist_logistic.json"
    remark = "fine-tuned on your digits"
    assert not [row for row in rows(at.run().find("table", "mine")) if remark in words(row)]
    content = json.loads(card.read_text())
    score, right = content["scores"]["test"], [3] * 10
    content["base"] = {"name": "mnist_cnn", "sha256": content["checkpoint"]["sha256"]}
    content["own_digits"] = {"folder": learnt, "sha256": "of a collection", "before": score, "after": score}
    content["own_digits"] |= {"counts": right, "right_by_class": {"before": right, "after": right}}
    card.write_text(json.dumps(content))
    marked = [words(row[0]) for row in rows(at.run().find("table", "mine")) if remark in words(row)]
    assert marked == ([f"mnist_logistic {remark}"] if is_marked else [])
    assert any(each.startswith("A model's accuracy on the digits") for each in at.captions) == is_marked


def test_models_are_compared_on_the_collection(at, kept):
    found = {words(row[0]): cells(row)[1:] for row in rows(at.run().find("table", "mine"))}
    assert sorted(found) == SHIPPED
    images, labels = np.stack([image for image, _ in kept]), np.array([label for _, label in kept])
    for name, texts in found.items():
        right = int((recognizer.load(name).predict_proba(images).argmax(axis=1) == labels).sum())
        low, high = intervals.wilson_interval(right, 30)
        assert texts == [f"{right} of 30", f"{100 * right / 30:.1f}%", f"{100 * low:.0f}% – {100 * high:.0f}%"]
    assert len({texts[0] for texts in found.values()}) > 1


def test_picture_can_be_removed(at, kept, folder):
    names = sorted(f"{file.parent.name}/{file.name}" for file in folder.rglob("*.png"))
    at.run()
    assert sorted(at.app.selectbox(key="removed").options) == names
    at.set(removed=names[7]).click("Remove it")
    assert sorted(f"{file.parent.name}/{file.name}" for file in folder.rglob("*.png")) == names[:7] + names[8:]
    assert "29 digits in my_digits/" in [words(each) for each in at.find_all("p", "heading")]
    assert not at.errors


def test_picture_that_another_session_removed_gets_a_sentence(at, kept, folder, monkeypatch):
    at.run()

    def already_gone(name, digit, folder):
        raise ValueError(f"there is no picture {name!r} of a {digit} in the collection")

    monkeypatch.setattr(collection, "remove", already_gone)
    at.click("Remove it")
    assert len(at.errors) == 1
    assert "in the collection" in at.errors[0]


def test_last_picture_can_be_removed(at, folder, splits):
    at.draw(splits.test.images[0]).click("Save it as a 7").click("Remove it")
    assert any(each.startswith("Nothing is saved yet.") for each in at.captions)


def test_file_that_is_no_picture_is_listed_and_left_out(at, kept, folder):
    (folder / "4" / "notes.png").write_text("not a picture")
    at.run()
    assert at.warnings == [
        "my_digits/4/notes.png is left out: not a valid PNG, JPEG, BMP, WEBP, TIFF, GIF, AVIF or PPM image"
    ]
    assert cells(rows(at.find("table", "mine"))[0])[1].endswith("of 30")
    at.set(removed="4/notes.png").click("Remove it")
    assert not at.warnings


def test_collection_of_nothing_but_rubbish_is_no_error(at, folder):
    (folder / "4").mkdir()
    (folder / "4" / "notes.png").write_text("not a picture")
    at.run()
    assert len(at.warnings) == 1
    assert not at.errors


def test_picture_that_cannot_be_opened_gives_no_path_away(at, folder, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", folder)
    (folder / "4").mkdir(parents=True)
    (folder / "4" / "lost.png").symlink_to(folder / "nowhere.png")
    assert len(at.run().warnings) == 1
    assert not paths_in(at.warnings[0])


def test_folder_that_cannot_be_written_to_gets_a_sentence(at, folder, splits):
    (folder / "7").write_text("a file where the folder should be")
    at.draw(splits.test.images[0]).click("Save it as a 7")
    (sentence,) = at.errors
    assert sentence.startswith("can't write to the output folder")


def test_public_page_saves_and_shows_nothing(at, kept, monkeypatch, splits):
    monkeypatch.setattr(cache, "IS_PUBLIC", True)
    at.draw(splits.test.images[0])
    assert any(each.startswith("On this public page nothing is saved.") for each in at.captions)
    assert not [each for each in at.app.button if "Save" in each.label]
    assert not at.find_all("div", "shelf")
