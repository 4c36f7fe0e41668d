"""The verdict: calibrated, from one run of the network, and the same in the shell, in JSON, on the page, in imports."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from PIL import Image
from scipy.special import softmax

from digits import paths, preprocess
from digits.checkpoints import recognizer
from digits.checkpoints.recognizer import Recognizer
from digits.handwriting import importing
from digits.images import to_input
from digits.recognition.verdict import SURE_THRESHOLD, Verdict, judge
from digits.reporting.words import listing, percent
from tests.app.apptest import Page, in_percent, words

MODELS = ("mnist_cnn", "mnist_mlp", "mnist_random_forest")


def crossed_circle() -> np.ndarray:
    """No digit, of which the shipped networks are sure all the same, uint8 (280, 280)."""
    page = cv2.circle(np.full((280, 280), 255, np.uint8), (140, 140), 80, 0, 16, cv2.LINE_AA)
    return cv2.line(page, (60, 60), (220, 220), 0, 16, cv2.LINE_AA)


def logits(name: str, images: np.ndarray) -> np.ndarray:
    """What decides, (N, 10), without the library's recogniser: a network's logits, or a forest's log probabilities."""
    if name == "mnist_random_forest":
        from digits.checkpoints import scikit_learn

        forest = scikit_learn.load_forest(paths.MODELS / f"{name}.skops")
        # Where no tree votes for a digit, the library takes the smallest probability that it counts with.
        return np.log(np.maximum(forest.predict_proba(images.reshape(-1, 784) / 255), 1e-12))
    session = onnxruntime.InferenceSession(paths.MODELS / f"{name}.onnx", providers=["CPUExecutionProvider"])
    ink = (images[..., None] / 255).astype(np.float32)
    return np.asarray(session.run(["logits"], {session.get_inputs()[0].name: ink})[0])


@pytest.mark.parametrize("name", MODELS)
def test_probabilities_are_a_softmax_of_the_logits_over_the_temperature(name, some_digits):
    images = some_digits.images[:150]
    verdicts = judge(recognizer.load(name), images)
    card = json.loads((paths.MODELS / f"{name}.json").read_text())
    expected = softmax(logits(name, images).astype(np.float64) / card.get("temperature", 1), axis=1)
    np.testing.assert_allclose([each.probabilities for each in verdicts], expected, rtol=1e-4, atol=1e-6)
    assert {each.sure_threshold for each in verdicts} == {card["sure"]["threshold"]}
    for verdict, row in zip(verdicts, expected, strict=True):
        least = min(row.max(), card["sure"]["least_probability"])
        assert verdict.prediction_set == tuple(digit for digit in range(10) if row[digit] >= least)
    assert {each.coverage for each in verdicts} == {1 - card["sure"]["error_rate"]}
    # A forest's own probabilities are too low, and its card corrects that.
    assert ("temperature" in card) is (name == "mnist_random_forest")


@pytest.mark.parametrize("name", MODELS)
def test_network_runs_once_for_each_block(name, some_digits):
    opened = recognizer.load(name)
    # With this, what it is compared with is at hand.
    judge(opened, some_digits.images[:1])
    runs = []

    def function(ink: np.ndarray, outputs: tuple[str, ...]) -> list[np.ndarray]:
        runs.append((len(ink), outputs))
        return opened.function(ink, outputs)

    counted = replace(opened, function=function)
    assert len(judge(counted, some_digits.images[: recognizer.BLOCK + 50])) == recognizer.BLOCK + 50
    outputs = ("probabilities", "features") if name == "mnist_cnn" else ("probabilities",)
    assert runs == [(recognizer.BLOCK, outputs), (50, outputs)]


def answering(probabilities: np.ndarray, card: dict) -> Recognizer:
    return Recognizer("fixed", Path("fixed.onnx"), card, lambda ink, _names: [np.stack([probabilities] * len(ink))])


def test_a_model_without_a_card_is_sure_from_the_default_threshold_on(some_digits):
    for confidence, is_sure in ((0.79, False), (0.81, True)):
        probabilities = np.array([*np.full(9, (1 - confidence) / 9), confidence])
        (verdict,) = judge(answering(probabilities, {}), some_digits.images[:1])
        assert verdict.is_sure is is_sure
        assert verdict.sure_threshold == SURE_THRESHOLD == 0.8
        assert (verdict.prediction_set, verdict.coverage) == ((9,), 0)
        # The threshold of a card counts instead.
        (verdict,) = judge(answering(probabilities, {"sure": {"threshold": 0.9}}), some_digits.images[:1])
        assert not verdict.is_sure


def test_no_images_have_no_verdicts_and_other_arrays_are_refused(some_digits):
    assert judge(recognizer.load("mnist_mlp"), some_digits.images[:0]) == []
    with pytest.raises(ValueError, match=r"expected images as uint8 \(N, 28, 28\)"):
        judge(recognizer.load("mnist_mlp"), to_input(some_digits.images))


# What follows from the probabilities


def test_verdict_follows_from_its_probabilities(rng):
    for _ in range(50):
        probabilities = rng.dirichlet(np.full(10, 0.2))
        verdict = Verdict(probabilities)
        ordered = sorted(range(10), key=lambda digit: (-probabilities[digit], digit))
        assert verdict.ranked == [(digit, probabilities[digit]) for digit in ordered]
        assert verdict.answer == ordered[0]
        assert verdict.confidence == max(probabilities)
        assert verdict.state == ("sure" if max(probabilities) >= 0.8 else "not sure")
        unfamiliar = replace(verdict, is_familiar=False)
        assert (unfamiliar.state, unfamiliar.is_sure) == ("looks like no digit", False)
        assert unfamiliar.answer == verdict.answer


def test_of_equal_probabilities_the_smallest_digit_comes_first():
    verdict = Verdict(np.full(10, 0.1))
    assert verdict.answer == 0
    assert [digit for digit, _ in verdict.ranked] == list(range(10))


@pytest.mark.parametrize("confidence", [SURE_THRESHOLD, SURE_THRESHOLD - 1e-9])
def test_threshold_itself_is_sure(confidence):
    probabilities = np.array([confidence, *np.full(9, (1 - confidence) / 9)])
    assert Verdict(probabilities).is_sure is (confidence == SURE_THRESHOLD)


PROBABILITIES = np.array([0, 0.302, 0, 0, 0.04, 0.0004, 0, 0.61, 0, 0.0476])


@pytest.mark.parametrize(
    ("verdict", "top", "text"),
    [
        (Verdict(PROBABILITIES), 3, "not sure: perhaps 7 (61.0 %), or else 1 (30.2 %) and 9 (4.8 %)"),
        (Verdict(PROBABILITIES), 1, "not sure: perhaps 7 (61.0 %)"),
        (Verdict(PROBABILITIES, 0.6), 2, "7, 61.0 % sure; next: 1 (30.2 %)"),
        (Verdict(PROBABILITIES, 0.6), 1, "7, 61.0 % sure"),
        (Verdict(PROBABILITIES, 0.6, False), 2, "looks like no digit; if it is one: 7 (61.0 %), or else 1 (30.2 %)"),
        (
            Verdict(PROBABILITIES, prediction_set=(1, 7), coverage=0.999),
            1,
            "not sure, 1 or 7: perhaps 7 (61.0 %)",
        ),
        (Verdict(PROBABILITIES, prediction_set=(7,), coverage=0.95), 1, "not sure: perhaps 7 (61.0 %)"),
        (Verdict(PROBABILITIES, 0.6, prediction_set=(1, 7), coverage=0.95), 1, "7, 61.0 % sure"),
        (Verdict(np.eye(10)[3]), 2, "3, > 99.9 % sure; next: 0 (< 0.1 %)"),
        (Verdict(np.eye(10)[3], digits_found=5), 1, "5 digits found, try --many; read as one: 3 (> 99.9 %)"),
        (Verdict(PROBABILITIES, 0.6, other_marks=1), 1, "7, 61.0 % sure; something else is beside it, try --many"),
    ],
)
def test_verdict_in_words(verdict, top, text):
    assert verdict.describe(top) == text


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0, "< 0.1 %"),
        (1.0, "> 99.9 %"),
        (0.5, "50.0 %"),
        (0.9989, "99.9 %"),
        (0.999, "99.9 %"),
        (0.99901, "> 99.9 %"),
        (0.9999999, "> 99.9 %"),
        (0.12349, "12.3 %"),
        (0.001, "0.1 %"),
        (0.00099, "< 0.1 %"),
        (1e-12, "< 0.1 %"),
    ],
)
def test_probabilities_are_rounded_neither_to_certainty_nor_to_impossibility(probability, text):
    assert percent(probability) == text == in_percent(probability)


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c", "d"], "a, b, c and d")]
)
def test_words_are_listed_as_people_do(names, text):
    assert listing(names) == text


# The same everywhere


@pytest.fixture(scope="module")
def files(splits, tmp_path_factory) -> dict[str, Path]:
    """Pictures: a 7, a real digit of which no model is sure, and what is no digit."""
    folder = tmp_path_factory.mktemp("pictures")
    unsure = splits.test.images[340]
    pictures = {
        "sure": 255 - cv2.resize(splits.test.images[0], (140, 140), interpolation=cv2.INTER_CUBIC),
        "unsure": 255 - cv2.resize(unsure, (140, 140), interpolation=cv2.INTER_CUBIC),
        "no digit": crossed_circle(),
    }
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in pictures}


@pytest.mark.parametrize("kind", ["sure", "unsure", "no digit"])
@pytest.mark.parametrize("name", MODELS)
def test_shell_json_page_and_import_give_the_same_verdict(name, kind, files, run_script, monkeypatch):
    path = files[kind]
    (verdict,) = judge(recognizer.load(name), preprocess.prepare_file(path).image[None])
    # Only a network with convolutions tells what is no digit.
    no_digit = "looks like no digit" if name == "mnist_cnn" else verdict.state
    assert verdict.state == {"sure": "sure", "unsure": "not sure", "no digit": no_digit}[kind]

    shell = run_script("predict", path, "--model", name).stdout
    assert shell == f"{path}: {verdict.describe(3)}\n"
    said = json.loads(run_script("predict", path, "--model", name, "--json").stdout)
    assert said == {"path": str(path)} | verdict.as_json() | {"turned": "", "reading": ""}
    assert (said["verdict"], said["prediction"]) == (verdict.state, verdict.answer)

    page = Page(monkeypatch).show("My handwriting").set(model=name, source="Upload").upload(path.read_bytes())
    assert page.verdict.startswith(f"{verdict.answer} {verdict.headline[0].upper()}{verdict.headline[1:]}")
    assert verdict.alternatives(3)[1:] in page.verdict
    (latest,) = page.galleries["recent"]
    assert latest["caption"] == f"{verdict.answer}, {verdict.certainty}, {name}"
    assert words(page.find("span", "answer")) == f"{verdict.answer}"

    image = preprocess.prepare_file(path).image
    other = (verdict.answer + 1) % 10
    candidates = [importing.Candidate("a", image, image, digit) for digit in (None, verdict.answer, other)]
    guessed, agreed, contradicted = importing.review(candidates, recognizer.load(name))
    assert (guessed.digit, guessed.doubt) == (verdict.answer, f"guessed, {verdict.certainty}")
    assert agreed.doubt == ""
    assert contradicted.doubt == (f"read as {verdict.answer}, {verdict.headline}" if verdict.is_sure else "")
