"""Inside, without a browser: the layers that the library finds, the chosen layer's maps, and sums that add up."""

import re

import numpy as np
import pytest

from digits.checkpoints import recognizer
from digits.explanations.activations import Network
from panels import cache
from tests.app.apptest import Page, cells, prepared, rows, words

INK = 13


@pytest.fixture
def at(monkeypatch, splits) -> Page:
    monkeypatch.setattr(cache, "tensorflow_is_ready", lambda: pytest.fail("it would load"))
    return Page(monkeypatch).show("Inside").draw(splits.test.images[INK])


@pytest.mark.parametrize("name", ["mnist_cnn", "mnist_mlp", "mnist_logistic"])
def test_every_layer_is_on_the_path_and_opens(at, name):
    at.set(model=name)
    network = Network(recognizer.load(name))
    found = network.activations(prepared(at.drawing).image)
    titles = [each["reading"] for each in at.galleries["inside_path"]]
    assert len(set(titles)) == len(network.layers)
    assert all(title.startswith(layer.name) for title, layer in zip(titles, network.layers, strict=True))
    for index, (layer, values) in enumerate(zip(network.layers, found, strict=True)):
        at.set(inside_layer=index)
        assert any(f"{layer.name}: {layer.kind}, {len(values)} " in each.value for each in at.app.html)
        assert len(at.galleries["inside_maps"]) == min(64, len(values))
        assert bool(at.find_all("table", "products")) == (layer.kernel is not None)


def test_the_sums_add_up_to_the_value(at):
    at.set(model="mnist_cnn", inside_layer=0, inside_channel=3)
    image = prepared(at.drawing).image
    largest = Network(recognizer.load("mnist_cnn")).activations(image)[0][3].max()
    (row,) = rows(at.find("table", "products"))
    (sentence,) = [each for each in at.captions if "add up to" in each]
    total, bias, value = (float(each) for each in re.findall(r"[+-]?\d+\.\d+", sentence))
    assert value == pytest.approx(largest, abs=0.006)
    assert total + bias == pytest.approx(value, abs=0.016)
    assert float(cells(row)[-1]) == total
    assert words(row).startswith("the drawing")


def test_weights_of_a_linear_model_are_shown_as_a_picture_of_the_digit(at):
    at.set(model="mnist_logistic", inside_layer=0, inside_channel=7)
    kernel = Network(recognizer.load("mnist_logistic")).layers[0].kernel[:, 7].reshape(28, 28)
    shown = at.picture("weights of all inputs").astype(int)
    assert shown.shape == (28, 28, 3)
    # Red is above zero, blue below.
    is_clear = np.abs(kernel) > 0.1 * np.abs(kernel).max()
    np.testing.assert_array_equal((shown[..., 0] > shown[..., 2])[is_clear], (kernel > 0)[is_clear])


def test_a_forest_has_no_inside(at):
    at.set(model="mnist_random_forest")
    assert [each.value for each in at.app.info] == ["mnist_random_forest has no layers: it isn't a network."]
    assert not at.errors


def test_a_smaller_network_after_a_larger_one_is_no_error(at):
    at.set(model="mnist_advanced", inside_layer=20, inside_channel=90)
    assert not at.set(model="mnist_logistic").errors
    assert len(at.galleries["inside_path"]) == 2
