"""Raters' verdicts, from a file like the label-errors project's."""

import json
from pathlib import Path

import numpy as np
import pytest

from digits import data


def verdict(index: int, guessed: int, given: int, for_guessed: int, neither: int) -> dict:
    label = int(data.load_mnist(names=["y_test"])["y_test"][index])
    votes = {"given": given, "guessed": for_guessed, "neither": neither}
    return {"id": index, "given_original_label": label, "our_guessed_label": guessed, "mturk": votes}


@pytest.fixture
def written(tmp_path) -> Path:
    """Five verdicts: confirmed; barely confirmed; corrected; no agreement; no digit."""
    rows = [verdict(0, 1, 5, 0, 0), verdict(1, 4, 3, 2, 0), verdict(2, 7, 1, 4, 0), verdict(3, 6, 2, 2, 1)]
    path = tmp_path / "mnist_mturk.json"
    path.write_text(json.dumps([*rows, verdict(4, 9, 0, 0, 5)]), encoding="utf-8")
    return path


def test_contested_labels_are_corrected_or_left_out(written):
    raters = data.load_raters(written)
    assert np.flatnonzero(raters.is_contested).tolist() == [2, 3, 4]
    labels = data.load_mnist(names=["y_test"])["y_test"].astype(int)
    labels[[2, 3, 4]] = 7, -1, -1
    np.testing.assert_array_equal(raters.labels, labels)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-5],
        lambda _: '{"a": 1}',
        lambda _: "[1]",
        lambda _: "[]",
        lambda _: "[" * 100_000,
        lambda text: text.replace('"id": 0', '"id": -1'),
        lambda text: text.replace('"our_guessed_label": 7', '"our_guessed_label": 55'),
        lambda text: text.replace('"our_guessed_label": 7', '"our_guessed_label": 1e999'),
        lambda text: text.replace("mturk", "votes"),
        lambda text: text.replace('"id": 0', '"id": 10000'),
        lambda text: text.replace('"id": 0', '"id": "x"'),
    ],
)
def test_other_files_are_refused(damage, written):
    written.write_text(damage(written.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match="is not the label-errors project's"):
        data.load_raters(written)


def test_verdicts_on_other_digits_are_refused(written):
    text = written.read_text(encoding="utf-8").replace('"given_original_label": 7', '"given_original_label": 8')
    written.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"expected MNIST's label 7 for test digit 0 in .*, got 8"):
        data.load_raters(written)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"expected the label-errors project's mnist_mturk\.json, got .* no file"
    ):
        data.load_raters(tmp_path)
