"""Checkpoints: exact exports, and saves that are whole or not at all."""

import json
import os
import shutil
import subprocess

import cv2
import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from digits import files, metrics, paths
from digits.checkpoints import cards, publishing, recognizer, scikit_learn
from digits.images import to_input
from digits.jobs import subprocesses
from digits.training import baselines


def logits(model, images: np.ndarray) -> np.ndarray:
    return keras.Model(model.input, model.get_layer("logits").output).predict(to_input(images), verbose=0)


@pytest.mark.parametrize("classifier", [LogisticRegression(max_iter=50, tol=0.01), LinearSVC(dual=False, tol=0.1)])
def test_linear_export_has_scikit_learns_scores(classifier, some_digits):
    pixels = some_digits.images.reshape(-1, 784) / 255
    classifier.fit(pixels, some_digits.labels)
    model = scikit_learn.linear_as_keras(classifier.coef_, classifier.intercept_)
    np.testing.assert_allclose(
        logits(model, some_digits.images), classifier.decision_function(pixels), rtol=1e-5, atol=1e-5
    )
    if isinstance(classifier, LogisticRegression):
        probabilities = model.predict(to_input(some_digits.images), verbose=0)
        np.testing.assert_allclose(probabilities, classifier.predict_proba(pixels), atol=1e-5)


def test_eight_by_eight_counts_ink_as_area_averaging_does(some_digits):
    """OpenCV's area interpolation of the middle 20×20 is the oracle, on the set's scale of 0 to 16."""
    front = keras.Sequential([keras.layers.Input((28, 28, 1)), *scikit_learn.eight_by_eight()])
    counts = front.predict(to_input(some_digits.images[:100]), verbose=0)[..., 0]
    for image, count in zip(some_digits.images, counts, strict=False):
        ink = image[4:24, 4:24].astype(np.float32) / 255
        np.testing.assert_allclose(count, 16 * cv2.resize(ink, (8, 8), interpolation=cv2.INTER_AREA), atol=1e-4)


@pytest.fixture(scope="module")
def forest(some_digits):
    return baselines.random_forest(some_digits, trees=5, leaf_samples=2, seed=0)


@pytest.fixture(scope="module")
def other_forest(some_digits):
    return baselines.random_forest(some_digits, trees=5, leaf_samples=2, seed=1)


def test_skops_file_with_anything_else_is_refused(tmp_path):
    import skops.io

    path = tmp_path / "other.skops"
    skops.io.dump(subprocess.Popen, path)
    with pytest.raises(ValueError, match="can't be opened as a forest"):
        scikit_learn.load_forest(path)
    # Of a type that skops trusts by itself, and with a `predict_proba`, but no forest.
    skops.io.dump(LogisticRegression().fit(np.eye(2), [0, 1]), path)
    with pytest.raises(ValueError, match="has no random forest"):
        scikit_learn.load_forest(path)
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ValueError, match="can't be opened as a forest"):
        scikit_learn.load_forest(path)


def publish(forest, folder, splits, **more):
    return publishing.publish(
        forest.model,
        "forest",
        folder,
        splits,
        **({"recipe": {}, "training": {"seconds": 1.0}, "circumstances": cards.circumstances()} | forest.facts | more),
    )


def test_published_card_tells_the_truth(forest, tmp_path, splits):
    card = publish(forest, tmp_path, splits, recipe={"trees": 5})
    assert card == cards.read(tmp_path / "forest.json")
    pixels = splits.test.images.reshape(10_000, -1) / np.float32(255)
    # Five trees tie often; single precision, as the recogniser answers in, breaks ties its own way.
    answers = forest.model.predict_proba(pixels).astype(np.float32).argmax(axis=1)
    right = int(np.sum(answers == splits.test.labels))
    assert card["scores"]["test"]["correct"] == right
    assert card["scores"]["test"]["n"] == 10_000
    assert card["checkpoint"]["sha256"] == files.sha256(tmp_path / "forest.skops")
    assert card["export"]["sha256"] == files.sha256(tmp_path / "forest.npz")
    assert card["export"]["largest_difference"] <= scikit_learn.TOLERANCE
    assert card["recipe"] == {"trees": 5}
    assert card["split"]["train"] == 55_000
    assert card["circumstances"]["versions"]["scikit-learn"]
    assert sorted(file.name for file in tmp_path.glob("[!.]*")) == ["forest.json", "forest.npz", "forest.skops"]


@pytest.mark.parametrize("sharpness", [0.2, 2])
def test_a_published_network_is_calibrated_by_its_own_logits(splits, tmp_path, sharpness):
    """Too timid or too bold by a known factor: the division takes it out again, and answers stay."""
    classifier = LogisticRegression(max_iter=50, tol=0.01).fit(
        splits.train.images[:3000].reshape(-1, 784) / 255, splits.train.labels[:3000]
    )
    temperatures = []
    for factor in (1, sharpness):
        model = scikit_learn.linear_as_keras(factor * classifier.coef_, factor * classifier.intercept_)
        before = logits(model, splits.test.images[:200])
        facts = {"description": "Linear", "parameters": 7850, "recipe": {}, "training": {"seconds": 1.0}}
        card = publishing.publish(model, "linear", tmp_path, splits, score_test=False, **facts)
        temperatures.append(card["folded_temperature"])
        published = keras.saving.load_model(tmp_path / "linear.keras")
        np.testing.assert_allclose(
            logits(published, splits.test.images[:200]) * temperatures[-1], before, rtol=1e-4, atol=1e-4
        )
    assert temperatures[1] / temperatures[0] == pytest.approx(sharpness, rel=0.01)
    answers = recognizer.load("linear", tmp_path).predict_proba(splits.validation.images)
    assert metrics.best_temperature(answers, splits.validation.labels) == pytest.approx(1, abs=0.01)
    assert "temperature" not in card
    assert "test" not in card["scores"]
    sure = answers.max(axis=1) >= card["sure"]["threshold"]
    wrong = answers.argmax(axis=1) != splits.validation.labels
    assert np.mean(wrong[sure]) <= card["sure"]["error_rate"] <= 0.05
    assert 0.5 < np.mean(sure) < 0.9


def test_failed_save_leaves_the_earlier_files_whole(forest, tmp_path, splits, monkeypatch):
    publish(forest, tmp_path, splits)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cards, "write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        publish(forest, tmp_path, splits, note="second")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_at_every_moment_the_whole_earlier_or_the_whole_later_checkpoint_is_read(
    forest, other_forest, tmp_path, splits, monkeypatch
):
    """What a killed process would leave is copied before and after everything that it moves and deletes."""
    images, moments = splits.test.images[:100], []
    folder = tmp_path / "models"

    def watched(operate):
        def copy_around(*arguments, **options):
            moments.append(shutil.copytree(folder, tmp_path / f"{len(moments)}"))
            result = operate(*arguments, **options)
            moments.append(shutil.copytree(folder, tmp_path / f"{len(moments)}"))
            return result

        return copy_around

    answers = []
    for each in (forest, other_forest):
        with monkeypatch.context() as patched:
            folder.mkdir(exist_ok=True)
            for name in ("rename", "replace", "unlink", "rmdir"):
                patched.setattr(os, name, watched(getattr(os, name)))
            publish(each, folder, splits)
        answers.append(recognizer.load("forest", folder).predict_proba(images))
    assert not np.array_equal(*answers)
    read = []
    for left in moments:
        try:
            found = recognizer.load("forest", left).predict_proba(images)
        except FileNotFoundError:
            read.append(-1)
        else:
            read.append(next(number for number, answer in enumerate(answers) if np.array_equal(found, answer)))
        # The folder also holds whole files now.
        if read[-1] >= 0:
            cards.verify(cards.read(left / "forest.json"), left)
    assert read == sorted(read)
    assert set(read) == {-1, 0, 1}
    publish(forest, moments[read.index(1)], splits)
    assert not [path for path in moments[read.index(1)].glob(".*") if path.is_dir()]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_checkpoint_that_is_replaced_while_it_is_opened_is_read_whole(
    when, forest, other_forest, tmp_path, splits, monkeypatch
):
    publish(other_forest, tmp_path, splits)
    expected = recognizer.load("forest", tmp_path).predict_proba(splits.test.images[:100])
    publish(forest, tmp_path, splits)
    verify = cards.verify

    def replaced(card, folder):
        monkeypatch.setattr(cards, "verify", verify)
        if when == "before":
            publish(other_forest, tmp_path, splits, description="later")
        verify(card, folder)
        if when == "after":
            publish(other_forest, tmp_path, splits, description="later")

    monkeypatch.setattr(cards, "verify", replaced)
    found = recognizer.load("forest", tmp_path)
    assert found.card["description"] == "later"
    np.testing.assert_array_equal(found.predict_proba(splits.test.images[:100]), expected)


@pytest.fixture
def models_dir(tmp_path):
    """A folder with a copy of the shipped CNN."""
    folder = tmp_path / "models"
    folder.mkdir()
    for suffix in (".keras", ".onnx", ".json"):
        shutil.copy(paths.MODELS / f"mnist_cnn{suffix}", folder)
    return folder


def test_checkpoint_loads_by_name_and_by_path(models_dir, some_digits):
    by_name = recognizer.load("mnist_cnn", models_dir)
    by_path = recognizer.load(models_dir / "mnist_cnn.keras")
    assert by_name.name == by_path.name == "mnist_cnn"
    assert by_name.card == by_path.card
    expected = keras.saving.load_model(models_dir / "mnist_cnn.keras").predict(to_input(some_digits.images), verbose=0)
    np.testing.assert_allclose(by_name.predict_proba(some_digits.images), expected, atol=1e-5)


def test_a_dot_in_a_name_stays_part_of_it(models_dir):
    for file in list(models_dir.iterdir()):
        file.rename(models_dir / f"cnn_v1.5{file.suffix}")
    card = json.loads((models_dir / "cnn_v1.5.json").read_text())
    card["name"], card["checkpoint"]["file"], card["export"]["file"] = "cnn_v1.5", "cnn_v1.5.keras", "cnn_v1.5.onnx"
    cards.write(models_dir / "cnn_v1.5.json", card)
    assert recognizer.load("cnn_v1.5", models_dir).name == "cnn_v1.5"


def test_answers_do_not_depend_on_the_block(models_dir, some_digits):
    recognise = recognizer.load("mnist_cnn", models_dir)
    whole = recognise.predict_proba(some_digits.images)
    parts = [recognise.predict_proba(some_digits.images[i : i + 7]) for i in range(0, 1000, 7)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
    assert recognise.predict_proba(some_digits.images[:0]).shape == (0, 10)


@pytest.mark.parametrize("suffix", [".keras", ".onnx"])
def test_file_that_differs_from_its_card_is_refused(models_dir, suffix):
    path = models_dir / f"mnist_cnn{suffix}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="SHA-256 differs"):
        recognizer.load("mnist_cnn", models_dir)


def test_bad_cards_and_names_are_explained(models_dir):
    with pytest.raises(FileNotFoundError, match=r"no model called mnist_cmn .* there are: mnist_cnn"):
        recognizer.load("mnist_cmn", models_dir)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        recognizer.load(models_dir / "other.keras")
    (models_dir / "mnist_cnn.onnx").unlink()
    with pytest.raises(FileNotFoundError, match="which its card names"):
        recognizer.load("mnist_cnn", models_dir)
    (models_dir / "mnist_cnn.json").write_text(json.dumps({"name": "mnist_cnn"}))
    with pytest.raises(ValueError, match="is not a model card"):
        recognizer.load("mnist_cnn", models_dir)


@pytest.mark.parametrize(
    "images", [np.zeros((5, 28, 28)), np.zeros((28, 28), np.uint8), np.zeros((1, 32, 32), np.uint8)]
)
def test_images_of_another_kind_are_refused(models_dir, images):
    with pytest.raises(ValueError, match=r"expected images as uint8 \(N, 28, 28\)"):
        recognizer.load("mnist_cnn", models_dir).predict_proba(images)


def test_stray_keras_file_is_exported_once(tmp_path, some_digits, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # A model as a stranger would write it: no layer called logits, softmax fused into the last one.
    model = keras.Sequential(
        [keras.layers.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    )
    model.save(tmp_path / "mine.keras")
    recognise = recognizer.load(tmp_path / "mine.keras")
    expected = model.predict(to_input(some_digits.images), verbose=0)
    np.testing.assert_allclose(recognise.predict_proba(some_digits.images), expected, atol=1e-5)
    assert recognise.card == {}

    monkeypatch.setattr(subprocesses, "run_python", None)  # a second conversion would fail
    recognizer.load(tmp_path / "mine.keras")


def test_broken_keras_file_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "broken.keras").write_bytes(b"not a zip")
    with pytest.raises(ValueError, match=r"broken.keras can't be used: the file isn't a `.keras` file") as raised:
        recognizer.load(tmp_path / "broken.keras")
    assert "\n" not in str(raised.value)
