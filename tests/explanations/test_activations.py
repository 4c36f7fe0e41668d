"""Every layer's output, against Keras's own and against the products that it must be the sum of."""

import numpy as np
import pytest

from digits import paths
from digits.checkpoints import recognizer
from digits.explanations.activations import Network
from digits.images import to_input

CONVOLUTIONAL = ("mnist_cnn", "mnist_advanced", "mnist_ensemble")


@pytest.mark.parametrize("name", ["mnist_cnn", "mnist_mlp"])
def test_every_layer_answers_as_in_keras(name, splits):
    import keras

    image = splits.test.images[0]
    network = Network(recognizer.load(name))
    checkpoint = keras.saving.load_model(paths.MODELS / f"{name}.keras")
    names = [layer.name for layer in checkpoint.layers[1:]]
    inside = keras.Model(checkpoint.inputs[0], [layer.output for layer in checkpoint.layers[1:]])
    expected = dict(zip(names, (np.asarray(values)[0] for values in inside(to_input(image[None]))), strict=True))
    # A dense layer and its activation have one name; the last one is what Keras's layer answers.
    found = {layer.name: values for layer, values in zip(network.layers, network.activations(image), strict=True)}
    assert len(set(names) & set(found)) == (11 if name == "mnist_cnn" else 3)
    for layer in set(names) & set(found):
        own = expected[layer]
        np.testing.assert_allclose(found[layer], own.transpose(2, 0, 1) if own.ndim == 3 else own, atol=1e-4)


@pytest.mark.parametrize("name", [*CONVOLUTIONAL, "mnist_mlp"])
def test_a_value_is_the_sum_of_its_products(name, splits):
    network = Network(recognizer.load(name))
    image = splits.test.images[8]
    found = network.activations(image)
    multiplying = [index for index, layer in enumerate(network.layers) if layer.kernel is not None]
    assert len(multiplying) >= 3
    for index in multiplying:
        for channel in (0, len(found[index]) - 1):
            products = network.products(image, index, channel)
            assert (products.seen * products.kernel).sum() + products.bias == pytest.approx(products.value, abs=1e-4)
            assert products.value == found[index][channel].max()
            if products.position:
                assert products.value == found[index][channel][products.position]


def test_the_last_layers_are_the_answer(splits):
    recogniser = recognizer.load("mnist_logistic")
    network = Network(recogniser)
    image = splits.test.images[3]
    *_, logits, probabilities = network.activations(image)
    np.testing.assert_allclose(probabilities, recogniser.predict_proba(image[None])[0], atol=1e-6)
    dense = network.layers[-2]
    assert dense.kind == "dense"
    np.testing.assert_allclose(to_input(image[None]).ravel() @ dense.kernel + dense.bias, logits, atol=1e-4)


def test_a_forest_has_no_layers():
    with pytest.raises(ValueError, match="mnist_random_forest has no layers"):
        Network(recognizer.load("mnist_random_forest"))


def test_an_activation_has_no_products(splits):
    network = Network(recognizer.load("mnist_mlp"))
    assert network.layers[1].kind == "ReLU"
    with pytest.raises(ValueError, match="dense_1 multiplies nothing"):
        network.products(splits.test.images[0], 1, 0)
