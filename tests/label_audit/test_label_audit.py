"""Audits of labels: of real digits, some of whose labels were changed on purpose."""

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits import data, files, label_audit
from digits.checkpoints import recognizer
from digits.label_audit import folds, report
from digits.training import Recipe
from tests.support import assert_one_line_error

WRONG = 40


@pytest.fixture(scope="module")
def cnn() -> recognizer.Recognizer:
    return recognizer.load("mnist_cnn")


@pytest.fixture(scope="module")
def mislabelled(splits) -> tuple[data.Digits, np.ndarray]:
    """4,000 test digits, of which 40 have a wrong label, and which those are."""
    rng = np.random.default_rng(5)
    labels = splits.test.labels[:4000].copy()
    wrong = rng.choice(4000, WRONG, replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, WRONG)) % 10
    return data.Digits(splits.test.images[:4000], labels), wrong


def test_labels_that_were_changed_are_found(cnn, mislabelled):
    digits, wrong = mislabelled
    suspects = label_audit.contradicted_by(cnn, digits)
    probable = [each.index for each in suspects if each.is_probable]
    assert len(set(probable) & set(wrong)) >= 0.9 * max(len(probable), WRONG)
    assert set(wrong) <= {each.index for each in suspects}
    given = [each.given_probability for each in suspects]
    assert given == sorted(given)
    for each in suspects:
        assert (each.given, each.given != each.suggested) == (digits.labels[each.index], True)


def test_hardly_any_official_label_is_called_wrong(cnn, splits):
    suspects = label_audit.contradicted_by(cnn, splits.test)
    assert sum(each.is_probable for each in suspects) <= 5
    assert len(suspects) == np.sum(cnn.predict_proba(splits.test.images).argmax(axis=1) != splits.test.labels)


@pytest.mark.parametrize("labels", [[3] * 6, [3], [3, 5, 5]])
def test_few_digits_of_few_classes_are_audited(labels):
    probabilities = np.full((len(labels), 10), 0.01)
    probabilities[:, 3] = 0.91
    suspects = label_audit.find_suspects(probabilities, np.array(labels))
    assert [each.index for each in suspects] == [index for index, label in enumerate(labels) if label != 3]


@pytest.mark.parametrize(
    "probabilities", [np.full((3, 10), 0.2), np.full((3, 9), 1 / 9), np.eye(10)[:2], np.eye(10)[[1, 2, 3]] * 3 - 0.2]
)
def test_what_are_no_probabilities_is_refused(probabilities):
    with pytest.raises(ValueError, match="expected probabilities"):
        label_audit.find_suspects(probabilities, np.array([1, 2, 3]))


def test_report_shows_the_digits_and_lists_them(cnn, mislabelled, tmp_path):
    digits, wrong = mislabelled
    labelled = label_audit.Labelled(digits, "changed digits")
    suspects = label_audit.contradicted_by(cnn, digits)
    html = report.write(suspects, labelled, cnn.name, tmp_path, {cnn.name: cnn.sha256}).read_text(encoding="utf-8")
    assert html.count("<figure data-digit") == len(suspects)
    assert digits.sha256 in html
    with (tmp_path / "suspects.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["digit"]) for row in rows} >= set(wrong)
    assert [int(row["probably wrong"]) for row in rows] == [int(each.is_probable) for each in suspects]
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        sheet.verify()
    assert "4,000 digits of changed digits" in report.summary(suspects, labelled)


def test_report_of_faultless_labels_says_so(splits, tmp_path):
    digits = splits.test.first(20)
    suspects = label_audit.find_suspects(np.eye(10)[digits.labels], digits.labels)
    labelled = label_audit.Labelled(digits, "twenty digits")
    assert (
        report.write(suspects, labelled, "truth", tmp_path, {}).read_text(encoding="utf-8").count("<p>None.</p>") == 2
    )


@pytest.fixture
def folder(splits, tmp_path) -> Path:
    """A folder of 300 pictures, the first of which, a 7, is among the 4s; and a file that is no picture."""
    for index in range(300):
        digit = 4 if index == 0 else splits.test.labels[index]
        path = tmp_path / "digits" / str(digit) / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - splits.test.images[index]).resize((84, 84)).save(path)
    (tmp_path / "digits" / "2" / "broken.png").write_bytes(b"none")
    return tmp_path / "digits"


@pytest.mark.slow
def test_pictures_with_wrong_labels_are_moved_if_wanted(folder, run_script, tmp_path):
    arguments = ("--images", folder, "--model", "mnist_cnn", "--output-dir", tmp_path / "report")
    asked = run_script("audit_labels", *arguments, "--move", tmp_path / "wrong")
    assert "passed over: " in asked.stdout
    assert re.search("labelled 4, read as 7", asked.stdout)
    assert "nothing moved; --yes moves 1 picture without asking" in asked.stdout
    assert (folder / "4" / "0.png").is_file()

    run_script("audit_labels", *arguments, "--move", tmp_path / "wrong", "--yes")
    assert [path.relative_to(tmp_path).as_posix() for path in (tmp_path / "wrong").rglob("*.png")] == ["wrong/4/0.png"]
    assert not (folder / "4" / "0.png").exists()
    assert "nothing to move" in run_script("audit_labels", *arguments, "--move", tmp_path / "wrong", "--yes").stdout

    shutil.copy(tmp_path / "wrong" / "4" / "0.png", folder / "4")
    refused = run_script("audit_labels", *arguments, "--move", tmp_path / "wrong", "--yes", check=False)
    assert_one_line_error(refused, "exists")
    assert (folder / "4" / "0.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--part", "train"], "expected --folds with --part train"),
        (["--folds", "1"], "expected --folds 0 or at least 2, got 1"),
        (["--move", "elsewhere"], "expected a folder of pictures with --move"),
        (["--epochs", "3"], "has no effect without --folds"),
        (["--yes"], "has no effect without --move"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(arguments, message, run_script, tmp_path):
    refused = run_script("audit_labels", *arguments, "--output-dir", tmp_path, check=False)
    assert_one_line_error(refused, message)


def test_no_fold_is_read_by_a_network_that_learned_from_it(splits, monkeypatch):
    from digits.training import loop

    class Memory:
        """Answers 7 for what it has learned or chosen by, else 3."""

        def __init__(self, known: data.Splits):
            self.model = self
            self.known = {image.tobytes() for part in (known.train, known.validation) for image in part.images}

        def __call__(self, ink, training):
            is_known = [image.tobytes() in self.known for image in np.round(ink[..., 0] * 255).astype(np.uint8)]
            return np.eye(10)[np.where(is_known, 7, 3)]

    trained = []
    monkeypatch.setattr(loop, "fit", lambda build, splits, recipe: trained.append(Memory(splits)) or trained[-1])
    digits = splits.test.first(1000)
    probabilities = folds.out_of_fold(digits, 4, Recipe())
    assert (probabilities.argmax(axis=1) == 3).all()
    assert [len(each.known) for each in trained] == pytest.approx([750] * 4, abs=5)
    with pytest.raises(ValueError, match="at least 40 digits for 4 folds"):
        folds.out_of_fold(digits.first(39), 4, Recipe())


def test_moved_files_replace_nothing_and_links_stay_whole(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "from" / name).mkdir(parents=True)
        (tmp_path / "from" / name / "7.png").write_text(name)
    (tmp_path / "from" / "link.png").symlink_to("a/7.png")
    (tmp_path / "to" / "b").mkdir(parents=True)
    (tmp_path / "to" / "b" / "7.png").symlink_to("nowhere")
    given = [tmp_path / "from" / name for name in ("a/7.png", "link.png", "b/7.png")]
    with pytest.raises(FileExistsError, match=r"nothing moved, because .*b/7\.png exists"):
        list(files.moved_below(given, tmp_path / "from", tmp_path / "to"))
    assert all(path.exists() for path in given)

    moved = list(files.moved_below(given[1:2], tmp_path / "from", tmp_path / "to"))
    assert moved == [(given[1], tmp_path / "to" / "link.png")]
    assert (tmp_path / "to" / "link.png").read_text() == "a"
    with pytest.raises(ValueError, match="can't write to the output folder"):
        list(files.moved_below(given[:1], tmp_path / "from", tmp_path / "from" / "b" / "7.png"))


def test_a_model_that_contradicts_too_many_labels_moves_nothing(folder, run_script, tmp_path):
    arguments = ("--images", folder, "--model", "digits_8x8_logistic", "--output-dir", tmp_path / "report")
    refused = run_script("audit_labels", *arguments, "--move", tmp_path / "wrong", "--yes", check=False)
    assert_one_line_error(refused, "nothing moved: expected at most 20% of the labels to be wrong, got ")
    assert not list((tmp_path / "wrong").iterdir())
