"""Corrections beside the head, held against scikit-learn's cosines and SciPy's softmax, on real digits."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics.pairwise import cosine_similarity

from digits import data
from digits.checkpoints import recognizer
from digits.data import Digits
from digits.images import to_input
from digits.recognition import familiarity, prototypes
from digits.recognition.verdict import judge
from tests.recognition.test_verdict import crossed_circle

MODELS = ("mnist_cnn", "mnist_advanced", "mnist_mlp")


@pytest.fixture(scope="module")
def form() -> Digits:
    """The digits of one person, of which the shipped networks misread several."""
    stored = data.style_arrays("images", "labels", "source")
    return Digits(stored["images"], stored["labels"]).at(stored["source"] == "written/08")


def answers(model: recognizer.Recognizer, images: np.ndarray, learned=None) -> np.ndarray:
    return np.array([verdict.answer for verdict in judge(model, images, learned)])


def misread(model: recognizer.Recognizer, digits: Digits) -> Digits:
    return digits.at(answers(model, digits.images) != digits.labels)


@pytest.mark.parametrize("name", MODELS)
def test_the_nearest_correction_raises_its_labels_logit_by_its_closeness(name, form):
    model = recognizer.load(name)
    corrected = misread(model, form)
    learned = prototypes.learn(model, corrected.images, corrected.labels)
    reference = familiarity.reference(model)

    def outputs(digits: Digits) -> tuple[np.ndarray, np.ndarray]:
        logits, features = model.run(to_input(digits.images), "logits", "features")
        return logits.astype(np.float64), (features - reference.mean) @ reference.whitening

    (own, whitened), (theirs, others) = outputs(form.first(90)), outputs(corrected)
    cosines = cosine_similarity(whitened, others)
    for logits, of_image, verdict in zip(own, cosines, judge(model, form.first(90).images, learned), strict=True):
        nearest = of_image.argmax()
        label = corrected.labels[nearest]
        boost = theirs[nearest].max() - theirs[nearest, label] + prototypes.MARGIN
        closeness = max(0, of_image[nearest] - prototypes.LEAST_COSINE) / (1 - prototypes.LEAST_COSINE)
        logits[label] += closeness * boost
        np.testing.assert_allclose(verdict.probabilities, softmax(logits), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_corrected_image_is_ahead_by_the_margin(name, form):
    model = recognizer.load(name)
    corrected = misread(model, form)
    verdicts = judge(model, corrected.images, prototypes.learn(model, corrected.images, corrected.labels))
    assert len(verdicts) > 3
    for verdict, label in zip(verdicts, corrected.labels, strict=True):
        second = np.sort(verdict.probabilities)[-2]
        assert verdict.answer == label != verdict.uncorrected
        assert {label, verdict.uncorrected} <= {*verdict.prediction_set}
        assert np.log(verdict.confidence / second) == pytest.approx(prototypes.MARGIN, abs=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_the_rest_of_a_persons_digits_is_read_better_and_mnist_hardly_differently(name, form, some_digits):
    model = recognizer.load(name)
    first, rest = form.first(64), form.at(np.arange(64, len(form)))
    corrected = misread(model, first)
    learned = prototypes.learn(model, corrected.images, corrected.labels)
    assert (answers(model, rest.images, learned) != rest.labels).sum() < len(misread(model, rest))
    before, after = judge(model, some_digits.images), judge(model, some_digits.images, learned)
    same = [np.allclose(one.probabilities, other.probabilities) for one, other in zip(before, after, strict=True)]
    assert np.mean(same) > 0.8
    assert sum(verdict.uncorrected is not None for verdict in after) <= 2


def test_of_two_corrections_the_nearer_decides(form):
    model = recognizer.load("mnist_cnn")
    images = form.images[:40]
    # Labels that no model would give: only the corrections can.
    labels = (form.labels[:40] + 1 + np.arange(40) % 8) % 10
    np.testing.assert_array_equal(answers(model, images, prototypes.learn(model, images, labels)), labels)


def test_more_corrections_than_a_block_are_the_same_as_in_blocks(some_digits):
    model = recognizer.load("mnist_mlp")
    images, labels = some_digits.images[:150], (some_digits.labels[:150] + 1) % 10
    whole, first = (prototypes.learn(model, images[:count], labels[:count]) for count in (150, 40))
    np.testing.assert_allclose(whole.whitened[:40], first.whitened, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(whole.boosts[:40], first.boosts, rtol=1e-4)


def test_what_looked_like_no_digit_is_one_once_it_is_corrected():
    from digits import preprocess

    model, image = recognizer.load("mnist_cnn"), preprocess.prepare(crossed_circle()).image[None]
    assert judge(model, image)[0].state == "looks like no digit"
    (verdict,) = judge(model, image, prototypes.learn(model, image, np.array([6])))
    assert (verdict.answer, verdict.is_sure) == (6, True)


def test_a_model_without_features_learns_nothing(form):
    forest = recognizer.load("mnist_random_forest")
    assert not prototypes.can_learn(forest)
    with pytest.raises(ValueError, match="mnist_random_forest has no features"):
        prototypes.learn(forest, form.images[:1], form.labels[:1])
