"""What a network has learned, against Keras's own weights, lone pixels and plain loops."""

from functools import cache

import keras
import numpy as np
import pytest
from keras import layers

from digits import paths
from digits.explanations import feature_maps
from digits.explanations.attribution import KerasModel
from digits.images import to_input
from digits.training import architectures

# Layers that show a convolution after its normalisation and activation.
ACTIVATIONS = {"convolution_1": "relu_1", "convolution_2": "relu_2", "convolution_3": "relu_3"}


@cache
def keras_model(name: str) -> keras.Model:
    return keras.saving.load_model(paths.MODELS / f"{name}.keras")


@cache
def opened(name: str) -> KerasModel:
    return KerasModel(keras_model(name))


def of_layers(*calls: layers.Layer) -> KerasModel:
    """A small classifier with random weights, also of what is constant at first."""
    model = keras.Sequential([keras.Input((28, 28, 1)), *calls, layers.Dense(10, name="logits")])
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])
    return KerasModel(model)


@pytest.mark.parametrize(
    ("name", "layer", "shape"),
    [
        ("mnist_mlp", "dense_1", (128, 28, 28)),
        ("mnist_logistic", "logits", (10, 28, 28)),
        ("mnist_linear_svm", "logits", (10, 28, 28)),
        ("digits_8x8_logistic", "logits", (10, 8, 8)),
    ],
)
def test_input_weights_are_the_kernel_column_by_column(name, layer, shape):
    weights = feature_maps.input_weights(opened(name))
    kernel = keras_model(name).get_layer(layer).get_weights()[0]
    assert weights.shape == shape
    for unit in (0, shape[0] // 2, shape[0] - 1):
        np.testing.assert_array_equal(weights[unit].ravel(), kernel[:, unit])


@pytest.mark.parametrize(("name", "layer"), [("mnist_mlp", "dense_1"), ("mnist_logistic", "logits")])
def test_input_weight_is_what_a_lone_pixel_of_ink_adds(name, layer):
    dense = keras_model(name).get_layer(layer)
    before = keras.Model(keras_model(name).inputs[0], dense.input)
    kernel, bias = dense.get_weights()
    weights = feature_maps.input_weights(opened(name))
    for row, column in ((3, 20), (14, 14), (27, 0)):
        ink = np.zeros((1, 28, 28, 1), np.float32)
        ink[0, row, column] = 1
        np.testing.assert_allclose(before(ink).numpy()[0] @ kernel, weights[:, row, column], atol=1e-6)
    assert weights.shape[0] == len(bias)


@pytest.mark.parametrize("name", ["mnist_cnn", "mnist_advanced"])
def test_behind_convolutions_no_weights_lie_on_the_ink(name):
    assert feature_maps.input_weights(opened(name)) is None


def test_input_weights_are_those_of_the_first_dense_layer_behind_a_normalisation():
    model = of_layers(layers.BatchNormalization(), layers.Flatten(), layers.Dense(6))
    assert feature_maps.input_weights(model).shape == (6, 28, 28)


def test_input_weights_that_make_no_square_are_left_out():
    assert feature_maps.input_weights(of_layers(layers.AveragePooling2D((2, 4)), layers.Flatten())) is None


@pytest.mark.parametrize("layer", ["convolution_1", "convolution_2"])
def test_filters_are_the_largest_slices_the_largest_first(layer):
    kernel = keras_model("mnist_cnn").get_layer(layer).get_weights()[0]
    expected = []
    for unit in range(kernel.shape[3]):
        slices = [kernel[:, :, channel, unit] for channel in range(kernel.shape[2])]
        expected.append(max(slices, key=lambda each: (each**2).sum()))
    expected.sort(key=lambda each: -(each**2).sum())
    found = feature_maps.filters(opened("mnist_cnn"), layer)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (kernel.shape[3], 3, 3)


def test_filters_of_a_depthwise_convolution_are_one_a_channel():
    model = architectures.separable_cnn()
    found = feature_maps.filters(KerasModel(model), "depthwise_3")
    kernel = model.get_layer("depthwise_3").get_weights()[0]
    assert kernel.shape == (3, 3, 64, 1)
    expected = sorted(np.moveaxis(kernel[..., 0], -1, 0), key=lambda each: -np.linalg.norm(each))
    np.testing.assert_array_equal(found, expected)


def test_a_convolution_of_one_filter_has_one_filter():
    model = of_layers(layers.Conv2D(4, 3, name="four"), layers.Conv2D(1, 3, name="one"), layers.Flatten())
    assert feature_maps.filters(model, "one").shape == (1, 3, 3)


@pytest.mark.parametrize("layer", ACTIVATIONS)
def test_feature_maps_are_the_activations_with_the_strongest_channels_first(layer, some_digits):
    model = keras_model("mnist_cnn")
    images = some_digits.images[:5]
    output = keras.Model(model.inputs[0], model.get_layer(ACTIVATIONS[layer]).output)
    everything = output(to_input(images), training=False).numpy()
    maps, channels = feature_maps.feature_maps(opened("mnist_cnn"), images, layer, 7)
    assert maps.shape == (5, 7, *everything.shape[1:3])
    assert len(set(channels.tolist())) == 7
    for place, channel in enumerate(channels):
        np.testing.assert_allclose(maps[:, place], everything[..., channel], atol=1e-4)
    strength = everything.mean(axis=(0, 1, 2))
    assert (np.diff(strength[channels]) <= 0).all()
    assert strength[channels].min() >= np.delete(strength, channels).max()
    assert maps.min() >= 0


def test_no_more_feature_maps_are_shown_than_there_are(some_digits):
    maps, channels = feature_maps.feature_maps(opened("mnist_cnn"), some_digits.images[:2], "convolution_1", 1000)
    assert maps.shape == (2, 32, 13, 13)
    assert sorted(channels) == list(range(32))
