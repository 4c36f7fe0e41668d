"""Corrections are kept once, as the model saw them, among the digits for fine-tuning; they are changed and undone."""

import numpy as np
import pytest
from PIL import Image

from digits.handwriting import collection, corrections, dataset
from tests.support import folder_bytes


def files(folder) -> set[str]:
    return {name for name in folder_bytes(folder) if name.endswith(".png")}


def pairs(digits) -> set[tuple[bytes, int]]:
    return {(image.tobytes(), int(label)) for image, label in zip(digits.images, digits.labels, strict=True)}


def test_corrections_come_back_pixel_by_pixel_and_join_the_digits_for_fine_tuning(some_digits, tmp_path):
    chosen = np.concatenate([np.flatnonzero(some_digits.labels == digit)[:3] for digit in range(10)])
    digits = some_digits.at(chosen)
    for image, label in zip(digits.images, digits.labels, strict=True):
        path = corrections.keep(image, int(label), tmp_path)
        np.testing.assert_array_equal(255 - np.asarray(Image.open(path)), image)
    found = corrections.load(corrections.stored(tmp_path))
    assert not found.skipped
    assert pairs(found.digits) == pairs(digits)
    assert len(found.digits) == 30
    assert dataset.load(tmp_path).counts.tolist() == [3] * 10


def test_other_pictures_are_no_corrections(some_digits, tmp_path):
    collection.save(255 - some_digits.images[0], 3, tmp_path)
    assert not corrections.stored(tmp_path)
    assert corrections.find(some_digits.images[0], tmp_path) is None
    assert len(corrections.load([]).digits) == 0
    corrections.keep(some_digits.images[0], 3, tmp_path)
    before = files(tmp_path)
    corrections.undo(some_digits.images[0], tmp_path)
    assert len(before) == 2
    assert files(tmp_path) == {name for name in before if "corrected-" not in name}


def test_the_last_word_on_an_image_counts(some_digits, tmp_path):
    image = some_digits.images[0]
    first = corrections.keep(image, 3, tmp_path)
    assert corrections.keep(image, 3, tmp_path) == first
    second = corrections.keep(image, 8, tmp_path)
    assert corrections.find(image, tmp_path) == second
    assert files(tmp_path) == {f"8/{first.name}"}
    assert corrections.load(corrections.stored(tmp_path)).digits.labels.tolist() == [8]


def test_undoing_removes_that_one_alone_and_nothing_twice(some_digits, tmp_path):
    kept = [corrections.keep(image, 5, tmp_path) for image in some_digits.images[:3]]
    for _ in range(2):
        corrections.undo(some_digits.images[1], tmp_path)
        assert corrections.stored(tmp_path) == sorted([kept[0], kept[2]])
    corrections.undo(some_digits.images[1], tmp_path / "nowhere")


def test_damaged_files_are_skipped_and_pictures_of_other_sizes_prepared(some_digits, tmp_path):
    good = corrections.keep(some_digits.images[0], 5, tmp_path)
    good.with_name("corrected-0.png").write_bytes(good.read_bytes()[:60])
    large = Image.open(good).resize((280, 280), Image.Resampling.BICUBIC)
    large.save(good.with_name("corrected-1.png"))
    found = corrections.load(corrections.stored(tmp_path))
    assert list(found.skipped) == ["5/corrected-0.png"]
    assert "not a valid PNG" in found.skipped["5/corrected-0.png"]
    prepared = {entry.path.name: entry.image for entry in collection.entries(tmp_path)}["corrected-1.png"]
    assert {image.tobytes() for image in found.digits.images} == {some_digits.images[0].tobytes(), prepared.tobytes()}


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_folder_that_cannot_be_written_to_is_one_sentence_and_loses_nothing(is_kept, some_digits, tmp_path):
    if is_kept:
        corrections.keep(some_digits.images[0], 3, tmp_path)
    (tmp_path / "4").write_text("a file where the folder should be")
    before = files(tmp_path)
    with pytest.raises(ValueError, match="can't write to the output folder"):
        corrections.keep(some_digits.images[0], 4, tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("digit", [-1, 10])
def test_what_is_no_digit_or_no_image_is_refused(digit, some_digits, tmp_path):
    corrections.keep(some_digits.images[0], 3, tmp_path)
    with pytest.raises(ValueError, match="expected a digit from 0 to 9"):
        corrections.keep(some_digits.images[0], digit, tmp_path)
    with pytest.raises(ValueError, match="expected images as uint8"):
        corrections.keep(some_digits.images[0].astype(float), 3, tmp_path)
    with pytest.raises(ValueError, match=r"nothing is drawn"):
        corrections.keep(np.zeros((28, 28), np.uint8), 3, tmp_path)
