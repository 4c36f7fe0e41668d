"""One's own digits before they are learnt: counted, read, doubted, never dropped in silence."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import data, paths
from digits.checkpoints import recognizer
from digits.handwriting import dataset, importing

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture
def folder(splits, tmp_path) -> Path:
    """Four digits of each class, drawn large."""
    for digit in range(10):
        (tmp_path / str(digit)).mkdir()
        for number, place in enumerate(np.flatnonzero(splits.validation.labels == digit)[:4]):
            picture = 255 - cv2.resize(splits.validation.images[place], (140, 140), interpolation=cv2.INTER_CUBIC)
            Image.fromarray(picture).save(tmp_path / str(digit) / f"{number}.png")
    return tmp_path


def test_digits_are_read_with_their_labels_and_names(folder):
    mine = dataset.load(folder)
    assert mine.counts.tolist() == [4] * 10
    assert mine.names[:5] == ("0/0.png", "0/1.png", "0/2.png", "0/3.png", "1/0.png")
    assert [int(name[0]) for name in mine.names] == mine.digits.labels.tolist()
    assert not mine.skipped


def test_without_own_digits_the_sample_is_taken(tmp_path):
    mine = dataset.load(paths.MY_DIGITS / "sample")
    assert mine.counts.tolist() == [12] * 10
    (tmp_path / "sample").symlink_to(paths.MY_DIGITS / "sample")
    assert dataset.load(tmp_path).sha256 == mine.sha256
    assert "simulated writer" in dataset.describe(mine)[0]


def test_what_cannot_be_learnt_from_is_listed(folder):
    (folder / "3" / "notes.txt").write_text("mine")
    (folder / "4" / "broken.png").write_bytes(b"not an image")
    Image.fromarray(np.full((50, 50), 255, np.uint8)).save(folder / "5" / "blank.png")
    Image.open(folder / "6" / "0.png").save(folder / "6" / "copy.bmp")
    mine = dataset.load(folder)
    assert mine.counts.tolist() == [4] * 10
    assert mine.skipped.keys() == {"3/notes.txt", "4/broken.png", "5/blank.png", "6/copy.bmp"}
    assert "looks exactly like 6/0.png" in mine.skipped["6/copy.bmp"]
    text = "\n".join(dataset.describe(mine))
    for name, reason in mine.skipped.items():
        assert f"left out: {name}: {reason}" in text


def test_a_mislabelled_digit_is_doubted_and_kept(folder):
    (folder / "7" / "1.png").rename(folder / "2" / "wrong.png")
    mine = dataset.load(folder)
    assert "2/wrong.png" in mine.names
    doubts = dataset.suspects(mine, recognizer.load("mnist_cnn"))
    assert list(doubts) == ["2/wrong.png"]
    assert "sure that it is a 7" in doubts["2/wrong.png"]
    # Nobody can correct a sample that somebody else wrote.
    assert not dataset.suspects(replace(mine, folder=folder / dataset.SAMPLE), recognizer.load("mnist_cnn"))


def test_few_digits_of_a_class_are_pointed_out(folder, splits):
    for number, place in enumerate(np.flatnonzero(splits.validation.labels == 8)[4:20]):
        Image.fromarray(splits.validation.images[place]).save(folder / "8" / f"more{number}.png")
    text = "\n".join(dataset.describe(dataset.load(folder)))
    assert "few of 0, 1, 2, 3, 4, 5, 6, 7, 9 compared with the others" in text


def test_too_few_are_refused_with_advice(folder):
    for name in ("0.png", "1.png"):
        (folder / "9" / name).unlink()
    (folder / "9").rename(folder / "Sample011")
    expected = (
        r"at least 3 pictures of every digit .* too few of 9 \(0\); ten of each.*Sample011/2.png and 1 more: no digit"
    )
    with pytest.raises(ValueError, match=expected):
        dataset.load(folder)
    with pytest.raises(FileNotFoundError, match="no folder"):
        dataset.load(folder / "none")


@pytest.mark.parametrize("name", ["{word}", "digit_{digit}", "{digit}_train", "Sample{number:03}", "train/{digit}"])
def test_folders_of_other_names_hold_the_same_digits(folder, name):
    before = dataset.load(folder)
    other = folder / "other"
    for digit, word in enumerate(WORDS):
        target = other / name.format(digit=digit, word=word, number=digit + 1)
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / str(digit)).rename(target)
    assert dataset.load(other).sha256 == before.sha256
    loaded = data.load_labelled(str(other))
    np.testing.assert_array_equal(loaded.images, before.digits.images)
    found = importing.from_folder(other, guess=False)
    assert [each.digit for each in sorted(found.candidates, key=lambda each: each.digit)] == loaded.labels.tolist()


def test_the_hash_is_of_the_digits_not_of_their_names(folder):
    before = dataset.load(folder).sha256
    (folder / "1" / "0.png").rename(folder / "1" / "zzz.png")
    assert dataset.load(folder).sha256 == before
    (folder / "1" / "zzz.png").rename(folder / "2" / "zzz.png")
    assert dataset.load(folder).sha256 != before
