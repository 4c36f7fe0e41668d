"""Explaining by examples against gradients that TensorFlow takes, SciPy's distances and steps of learning."""

from dataclasses import replace
from functools import cache

import keras
import numpy as np
import pytest
import sklearn.manifold
import tensorflow as tf
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from digits import paths
from digits.checkpoints import recognizer
from digits.data import Digits
from digits.explanations import examples
from digits.explanations.examples import Related
from digits.images import to_input
from digits.recognition import familiarity

MODELS = ("mnist_cnn", "mnist_mlp", "mnist_logistic")


@pytest.fixture(autouse=True)
def one_thread():
    """Threads of t-SNE that wait for each other on a busy machine take fifty times as long as one."""
    with threadpool_limits(1):
        yield


@cache
def keras_model(name: str) -> keras.Model:
    return keras.saving.load_model(paths.MODELS / f"{name}.keras")


@cache
def recogniser(name: str) -> recognizer.Recognizer:
    return recognizer.load(name)


def features(name: str, images: np.ndarray) -> np.ndarray:
    """The oracle for what the last layer sees."""
    model = keras_model(name)
    seen = keras.Model(model.inputs[0], model.get_layer("logits").input)
    return seen(to_input(images), training=False).numpy()


def mislabelled(digits: Digits) -> Digits:
    """Every third label is wrong, so that there is something to learn."""
    return Digits(digits.images, (digits.labels + (np.arange(len(digits)) % 3 == 0)) % 10)


@pytest.fixture(scope="module")
def training(splits) -> Digits:
    """More than a block of training digits, and no whole number of blocks."""
    return mislabelled(splits.train.first(recognizer.BLOCK + 57))


@pytest.fixture(scope="module")
def digits(some_digits) -> Digits:
    return mislabelled(some_digits.first(6))


@pytest.mark.parametrize("name", MODELS)
def test_influence_is_the_dot_product_of_two_gradients_of_the_last_layer(name, training, digits):
    last = keras_model(name).get_layer("logits")
    model = keras.Model(keras_model(name).inputs[0], last.output)
    weights = last.trainable_weights
    assert len(weights) == 2

    def gradients(some: Digits) -> np.ndarray:
        flat = []
        for ink, label in zip(to_input(some.images), some.labels, strict=True):
            with tf.GradientTape() as tape:
                logits = model(ink[None], training=False)
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[int(label)], logits=logits)
            flat.append(np.concatenate([part.numpy().ravel() for part in tape.gradient(loss, weights)]))
        return np.stack(flat).astype(np.float64)

    some = Digits(training.images[-20:], training.labels[-20:])
    expected = gradients(digits) @ gradients(some).T
    found = examples.relate(recogniser(name), training, digits).influence
    assert found.shape == (6, len(training))
    assert (expected > 0).any()
    assert (expected < 0).any()
    np.testing.assert_allclose(found[:, -20:], expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_learning_from_a_helpful_digit_lowers_the_loss_by_its_influence(training, digits):
    kernel, bias = (each.astype(np.float64) for each in keras_model("mnist_mlp").get_layer("logits").get_weights())
    layer = np.vstack([kernel, bias])

    def seen(some: Digits) -> np.ndarray:
        return np.hstack([features("mnist_mlp", some.images), np.ones((len(some), 1))])

    def losses(layer: np.ndarray, some: Digits) -> np.ndarray:
        logits = seen(some) @ layer
        return logsumexp(logits, axis=1) - logits[np.arange(len(some)), some.labels]

    related = examples.relate(recogniser("mnist_mlp"), training, digits)
    for place in (*related.helpful(2)[0], *related.harmful(2)[0]):
        taught = Digits(training.images[[place]], training.labels[[place]])
        # The loss's slope by finite differences, then one small step down it.
        logits = seen(taught) @ layer
        slope = np.empty(10)
        for unit, nudge in enumerate(1e-6 * np.eye(10)):
            up, down = (
                logsumexp(logits + sign * nudge) - (logits + sign * nudge)[0, taught.labels[0]] for sign in (1, -1)
            )
            slope[unit] = (up - down) / 2e-6
        rate = 1e-6
        learned = layer - rate * np.outer(seen(taught), slope)
        fallen = (losses(layer, digits) - losses(learned, digits)) / rate
        np.testing.assert_allclose(fallen, related.influence[:, place], rtol=0.02, atol=1e-3 * np.abs(fallen).max())
    assert related.influence[0, related.helpful(1)[0, 0]] > 0 > related.influence[0, related.harmful(1)[0, 0]]


@pytest.mark.parametrize("name", MODELS)
def test_distances_are_those_of_what_the_last_layer_sees(name, training, digits):
    found = examples.relate(recogniser(name), training, digits)
    expected = cdist(features(name, digits.images), features(name, training.images))
    np.testing.assert_allclose(found.distances, expected, rtol=1e-4)
    np.testing.assert_array_equal(found.nearest(3), expected.argsort(axis=1)[:, :3])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [1, recognizer.BLOCK, recognizer.BLOCK + 57])
def test_features_are_what_keras_hands_to_the_last_layer(name, count, training):
    """A whole block, several, and a single image come back in their order."""
    found = familiarity.features(recogniser(name), training.images[:count])
    expected = features(name, training.images[:count])
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", [*MODELS, "digits_8x8_logistic"])
def test_a_training_digit_is_its_own_nearest(name, training):
    own = Digits(training.images[::9], training.labels[::9])
    related = examples.relate(recogniser(name), training, own)
    places = np.arange(0, len(training), 9)
    np.testing.assert_array_equal(related.nearest(1)[:, 0], places)
    # The root of a difference of squares in single precision isn't quite 0.
    length = np.linalg.norm(recogniser(name).run(to_input(own.images), "features")[0], axis=1)
    assert (related.distances[np.arange(len(own)), places] < 2e-3 * length).all()
    assert np.isfinite(related.distances).all()


@pytest.mark.parametrize("block", [1, 100, 307, 1000])
def test_blocks_do_not_show(block, training, digits, monkeypatch):
    expected = examples.relate(recogniser("mnist_mlp"), training, digits)
    monkeypatch.setattr(recognizer, "BLOCK", block)
    found = examples.relate(recogniser("mnist_mlp"), training, digits)
    np.testing.assert_allclose(found.distances, expected.distances, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.influence, expected.influence, rtol=1e-3, atol=1e-4)


def test_orders_begin_with_the_nearest_the_most_helpful_and_the_most_harmful():
    related = Related(
        distances=np.array([[3.0, 1.0, 2.0, 1.0], [0.0, 9.0, 8.0, 7.0]]),
        influence=np.array([[0.0, -5.0, 7.0, 1.0], [2.0, 2.0, -1.0, 3.0]]),
    )
    assert related.nearest(3).tolist() == [[1, 3, 2], [0, 3, 2]]
    assert related.helpful(3).tolist() == [[2, 3, 0], [3, 0, 1]]
    assert related.harmful(2).tolist() == [[1, 0], [2, 0]]
    assert related.nearest(10).shape == (2, 4)


def test_labels_decide_what_helps_and_not_what_is_near(training, digits):
    wrong = Digits(digits.images, (digits.labels + 1) % 10)
    before, after = (examples.relate(recogniser("mnist_mlp"), training, each) for each in (digits, wrong))
    np.testing.assert_array_equal(before.distances, after.distances)
    assert not np.allclose(before.influence, after.influence)


def test_a_model_without_a_last_layer_has_no_examples(training, digits):
    forest = replace(recogniser("mnist_mlp"), name="forest", outputs=("probabilities",))
    with pytest.raises(ValueError, match="forest has no features; it has probabilities"):
        examples.relate(forest, training, digits)
    with pytest.raises(ValueError, match="forest has no features; it has probabilities"):
        examples.plane(forest, digits.images)
    with pytest.raises(ValueError, match="forest has no features; it has probabilities"):
        familiarity.features(forest, digits.images)


def test_neighbours_on_the_plane_share_their_label(splits):
    test = splits.test.first(200)
    places = examples.plane(recogniser("mnist_cnn"), test.images)
    assert places.shape == (200, 2)
    assert np.isfinite(places).all()
    # Each digit by its three neighbours without itself.
    near = cdist(places, places).argsort(axis=1)[:, 1:4]
    votes = [np.bincount(labels, minlength=10).argmax() for labels in test.labels[near]]
    assert np.mean(votes == test.labels) > 0.9
    by_plane = KNeighborsClassifier(3).fit(places[:100], test.labels[:100]).score(places[100:], test.labels[100:])
    assert by_plane > 0.8
    trust = sklearn.manifold.trustworthiness(features("mnist_cnn", test.images), places)
    assert trust > 0.95


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_logistic"])
def test_plane_of_fewer_digits_than_components_is_the_same_every_time(name, some_digits):
    first, again = (examples.plane(recogniser(name), some_digits.images[:40], seed=3) for _ in range(2))
    assert first.shape == (40, 2)
    np.testing.assert_array_equal(first, again)
    assert np.ptp(first, axis=0).min() > 1


@pytest.mark.parametrize("count", [3, 30])
def test_plane_of_a_few_digits(count, some_digits):
    assert examples.plane(recogniser("mnist_mlp"), some_digits.images[:count]).shape == (count, 2)
