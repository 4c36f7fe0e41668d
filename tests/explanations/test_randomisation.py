"""Cascading randomisation of small and shipped networks: what is randomised when, and that it is undone."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers
from scipy.stats import spearmanr

from digits.checkpoints import recognizer
from digits.explanations import randomisation
from digits.explanations.attribution import METHODS, KerasModel, Method, open_keras
from tests.checkpoints.test_layer_graph import sequential

# From the logits down to the ink.
LAYERS = ("logits", "norm", "convolution")


@pytest.fixture(scope="module")
def images(some_digits) -> np.ndarray:
    return some_digits.images[:3]


@pytest.fixture(scope="module")
def model() -> KerasModel:
    """A small network with other weights in every place."""
    keras.utils.set_random_seed(0)
    network = sequential(
        layers.Conv2D(4, 5, strides=4, name="convolution"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(10, name="logits"),
    )
    rng = np.random.default_rng(0)
    network.set_weights([rng.uniform(0.5, 1.5, array.shape) for array in network.get_weights()])
    return KerasModel(network)


@pytest.fixture
def trained(model) -> list[np.ndarray]:
    """The small network's weights, which it must have at the end as well."""
    return weights_of(model)


def weights_of(model: KerasModel) -> list[np.ndarray]:
    return [array.copy() for array in model.network.get_weights()]


def layers_of(model: KerasModel) -> dict[str, list[np.ndarray]]:
    return {layer.name: [array.copy() for array in layer.get_weights()] for layer in model.network.layers}


@pytest.fixture
def spy(monkeypatch) -> list[SimpleNamespace]:
    """What the method called `spy`, whose maps are random, was called with."""
    calls = []

    def function(model, ink, weights, masks=3):
        maps = np.random.default_rng(len(calls)).normal(size=ink.shape[:3])
        calls.append(SimpleNamespace(layers=layers_of(model), weights=weights, masks=masks, maps=maps))
        return maps

    monkeypatch.setitem(METHODS, "spy", Method(title="Spy", function=function))
    return calls


def assert_same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("stages", "counts"),
    [
        (6, (1, 2, 3)),
        (3, (1, 2, 3)),
        (2, (1, 3)),
        (1, (3,)),
    ],
)
def test_each_stage_permutes_the_layers_from_the_logits_down_and_no_others(stages, counts, model, trained, spy, images):
    before = layers_of(model)
    cascade = randomisation.cascading_randomisation(model, images, ["spy"], seeds=(4, 9), stages=stages)
    assert cascade.stages == tuple(LAYERS[count - 1] for count in counts)
    first, *others = spy
    assert len(others) == 2 * len(counts)
    for name in LAYERS:
        assert_same(first.layers[name], before[name])
    for call, count in zip(others, counts * 2, strict=True):
        for name in LAYERS[:count]:
            for array, original in zip(call.layers[name], before[name], strict=True):
                np.testing.assert_array_equal(np.sort(array, axis=None), np.sort(original, axis=None))
                assert not np.array_equal(array, original)
                # Not only along one axis.
                for axis in range(array.ndim if array.ndim > 1 else 0):
                    assert not np.array_equal(np.sort(array, axis), np.sort(original, axis))
        for name in LAYERS[count:]:
            assert_same(call.layers[name], before[name])
    assert_same(weights_of(model), trained)


def test_a_layer_stays_as_it_was_randomised_and_each_seed_begins_anew(model, spy, images):
    randomisation.cascading_randomisation(model, images, ["spy"], seeds=(4, 9, 4))
    _, *calls = spy
    one, other, again = calls[:3], calls[3:6], calls[6:]
    for name, stages in (("logits", one), ("norm", one[1:])):
        for call in stages[1:]:
            assert_same(call.layers[name], stages[0].layers[name])
    for name in LAYERS:
        assert_same(one[-1].layers[name], again[-1].layers[name])
        for array, unlike in zip(one[-1].layers[name], other[-1].layers[name], strict=True):
            assert not np.array_equal(array, unlike)


def test_what_a_seed_permutes_doesnt_depend_on_the_stages_looked_at(model, spy, images):
    randomisation.cascading_randomisation(model, images, ["spy"], seeds=(4,), stages=6)
    randomisation.cascading_randomisation(model, images, ["spy"], seeds=(4,), stages=2)
    for name in LAYERS:
        assert_same(spy[3].layers[name], spy[6].layers[name])


def test_similarity_is_the_rank_correlation_with_the_trained_networks_map(model, spy, images):
    cascade = randomisation.cascading_randomisation(model, images, ["spy"], seeds=(4, 9))
    found = cascade.similarity["spy"]
    assert found.shape == (3, 2, 3)
    first, *others = spy
    for number, call in enumerate(others):
        seed, stage = divmod(number, 3)
        expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first.maps, call.maps, strict=True)]
        np.testing.assert_allclose(found[stage, seed], expected, atol=1e-10)


def test_the_trained_networks_answers_are_explained_throughout(model, spy, images):
    answers = model.logits(images[..., None] / np.float32(255)).argmax(axis=1)
    randomisation.cascading_randomisation(model, images, ["spy"], seeds=(0, 1), parameters={"rise": {"masks": 1}})
    for call in spy:
        np.testing.assert_array_equal(call.weights, np.eye(10)[answers])


def test_each_method_gets_its_own_parameters(model, spy, images, monkeypatch):
    monkeypatch.setitem(METHODS, "other", METHODS["spy"])
    randomisation.cascading_randomisation(model, images, ["spy", "other"], seeds=(0,), parameters={"spy": {"masks": 7}})
    # Both on the trained network, and then both at each stage.
    assert [call.masks for call in spy] == [7, 3] * 4


@pytest.mark.parametrize("call", [1, 2, 3, 6])
def test_weights_are_put_back_when_a_method_fails(call, model, trained, images, monkeypatch):
    seen = []

    def function(model, ink, weights):
        seen.append(weights_of(model))
        if len(seen) > call:
            raise ArithmeticError("no more")
        return ink[..., 0]

    monkeypatch.setitem(METHODS, "failing", Method(title="Failing", function=function))
    with pytest.raises(ArithmeticError, match="no more"):
        randomisation.cascading_randomisation(model, images, ["failing"], seeds=(0, 1))
    assert any(not np.array_equal(now, before) for now, before in zip(seen[-1], trained, strict=True))
    assert_same(weights_of(model), trained)


@pytest.mark.parametrize("method", ["saliency", "rise"])
def test_results_are_decided_by_the_seeds(method, model, trained, images):
    def similarity(*seeds):
        cascade = randomisation.cascading_randomisation(
            model, images, [method], seeds, parameters={"rise": {"masks": 50}}
        )
        assert_same(weights_of(model), trained)
        return cascade.similarity[method]

    both = similarity(3, 8)
    assert both.shape == (3, 2, 3)
    np.testing.assert_array_equal(both, similarity(3, 8))
    np.testing.assert_array_equal(both[:, [1, 0]], similarity(8, 3))
    np.testing.assert_array_equal(both[:, :1], similarity(3))
    assert not np.array_equal(both[:, 0], both[:, 1])


def edges(model, ink: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """An edge detector: it explains the image, whatever the model."""
    down, right = np.gradient(ink[..., 0], axis=(1, 2))
    return np.hypot(down, right)


def test_a_shipped_network_forgets_what_gradients_showed_but_not_what_edges_show(some_digits, monkeypatch):
    monkeypatch.setitem(METHODS, "edges", Method(title="Edges", function=edges))
    shipped = open_keras(recognizer.load("mnist_cnn").path)
    before, images = weights_of(shipped), some_digits.images[:6]
    answers = shipped.logits(images[..., None] / np.float32(255))
    cascade = randomisation.cascading_randomisation(shipped, images, ["saliency", "edges"], seeds=(0, 1), stages=4)
    assert_same(weights_of(shipped), before)
    np.testing.assert_array_equal(shipped.logits(images[..., None] / np.float32(255)), answers)

    # Four of five: convolution_3 is passed over.
    assert cascade.stages == ("logits", "convolution_4", "convolution_2", "convolution_1")
    assert list(cascade.similarity) == ["saliency", "edges"]
    np.testing.assert_allclose(cascade.similarity["edges"], np.ones((4, 2, 6)))
    saliency = cascade.similarity["saliency"].mean(axis=(1, 2))
    assert np.abs(saliency).max() < 0.5
