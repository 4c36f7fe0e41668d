"""Taking classifiers apart: hand-made ones of every shape, held against layers called one by one."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.special import softmax

from digits.checkpoints import layer_graph
from digits.images import to_input


def sequential(*calls: Callable, shape: tuple = (28, 28, 1), name: str | None = None) -> keras.Sequential:
    return keras.Sequential([keras.Input(shape), *calls], name=name)


def functional(*calls: Callable, shape: tuple = (28, 28, 1), name: str | None = None) -> keras.Model:
    hidden = ink = keras.Input(shape, name="ink")
    for call in calls:
        hidden = call(hidden)
    return keras.Model(ink, hidden, name=name)


def convolution(name: str, filters: int = 4, **more) -> layers.Layer:
    return layers.Conv2D(filters, 5, name=name, **({"strides": 3, "activation": "relu"} | more))


def residual(hidden):
    return layers.Add(name="sum")([hidden, layers.Conv2D(4, 3, padding="same", name="side")(hidden)])


def swapped_halves(hidden):
    return layers.Concatenate(name="joined")(ops.split(hidden, 2, axis=-1)[::-1])


def used_twice(hidden):
    inner = functional(layers.Conv2D(4, 3, padding="same", name="inner"), shape=(8, 8, 4), name="twice")
    return inner(inner(hidden))


# What stands before the last layer.
BODIES: dict[str, Callable[[], list[Callable]]] = {
    "flatten": lambda: [convolution("first"), convolution("second", 3, strides=1), layers.Flatten()],
    "pooling": lambda: [
        convolution("first", activation=None, use_bias=False),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.5),
    ],
    "pooled_first": lambda: [
        convolution("first", activation=None),
        layers.MaxPooling2D(name="pool"),
        layers.ReLU(name="relu"),
        convolution("second", activation=None, strides=1, padding="same"),
        layers.MaxPooling2D(name="last"),
        layers.Flatten(),
    ],
    "separable": lambda: [
        layers.SeparableConv2D(4, 5, strides=4, name="first", activation="softplus"),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.Flatten(),
    ],
    "depthwise": lambda: [
        layers.DepthwiseConv2D(5, strides=4, depth_multiplier=2, name="first"),
        layers.Activation("relu", name="relu"),
        layers.MaxPooling2D(name="pool"),
        layers.Flatten(),
    ],
    "two_dense": lambda: [convolution("first"), layers.Flatten(), layers.Dense(8, activation="tanh")],
    "residual": lambda: [convolution("first"), residual, layers.GlobalAveragePooling2D()],
    "split": lambda: [convolution("first"), swapped_halves, layers.ReLU(name="relu"), layers.Flatten()],
    "sequential_in_functional": lambda: [
        sequential(convolution("first"), layers.ReLU(name="relu"), name="stem"),
        layers.AveragePooling2D(2, name="pool"),
        layers.Flatten(),
    ],
    "functional_in_sequential": lambda: [
        layers.Rescaling(2.0, name="scale"),
        functional(convolution("first"), layers.ReLU(name="relu"), name="stem"),
        layers.GlobalAveragePooling2D(),
    ],
    "functional_in_functional": lambda: [
        functional(functional(convolution("first"), name="inner"), layers.ReLU(name="relu"), name="outer"),
        functional(layers.Flatten(), shape=(8, 8, 4), name="neck"),
    ],
    "used_twice": lambda: [convolution("first"), used_twice, layers.GlobalAveragePooling2D()],
}
SEQUENTIAL = {"flatten", "separable", "functional_in_sequential"}

ENDINGS: dict[str, Callable[[], list[Callable]]] = {
    "logits": lambda: [layers.Dense(10)],
    "fused_softmax": lambda: [layers.Dense(10, activation="softmax")],
    "fused_softmax_layer": lambda: [layers.Dense(10, activation=layers.Softmax())],
    "softmax_layer": lambda: [layers.Dense(10), layers.Softmax()],
    "softmax_activation": lambda: [layers.Dense(10), layers.Activation("softmax")],
    "softmax_operation": lambda: [layers.Dense(10), ops.softmax],
    "log_softmax": lambda: [layers.Dense(10, activation="log_softmax")],
    "sigmoid": lambda: [layers.Dense(10, activation="sigmoid")],
    "softmax_then_reshape": lambda: [layers.Dense(10), layers.Softmax(), layers.Reshape((10,))],
}

# The feature layer, what shows each convolution, and the linear head's shape.
EXPECTED = {
    "flatten": ("second", {"first": "first", "second": "second"}, (4, 4, 3, 10)),
    "pooling": ("relu", {"first": "relu"}, (1, 1, 4, 10)),
    "pooled_first": ("last", {"first": "relu", "second": "second"}, (2, 2, 4, 10)),
    "separable": ("first", {"first": "first"}, (1, 1, 4, 10)),
    "depthwise": ("pool", {"first": "relu"}, (3, 3, 2, 10)),
    "two_dense": ("first", {"first": "first"}, None),
    "residual": ("sum", {"first": "first", "side": "side"}, (1, 1, 4, 10)),
    "split": ("relu", {"first": "first"}, (8, 8, 4, 10)),
    "sequential_in_functional": ("pool", {"stem.first": "stem.relu"}, (4, 4, 4, 10)),
    "functional_in_sequential": ("stem.relu", {"stem.first": "stem.relu"}, (1, 1, 4, 10)),
    "functional_in_functional": ("outer.relu", {"outer.inner.first": "outer.relu"}, (8, 8, 4, 10)),
    "used_twice": (
        "twice.inner#2",
        {"first": "first", "twice.inner": "twice.inner", "twice.inner#2": "twice.inner#2"},
        (1, 1, 4, 10),
    ),
}


def make(body: str, ending: str = "fused_softmax") -> keras.Model:
    """A classifier with biases, and with the same weights whatever its ending."""
    wrap = sequential if body in SEQUENTIAL and ending != "softmax_operation" else functional
    model = wrap(*BODIES[body](), *ENDINGS[ending](), name=body)
    rng = np.random.default_rng(0)
    # A moving variance must be positive.
    draws = [rng.normal(0, 0.3, w.shape) if w.ndim > 1 else rng.uniform(0.1, 1, w.shape) for w in model.get_weights()]
    model.set_weights(draws)
    return model


def answers(model: keras.Model, ink: np.ndarray) -> np.ndarray:
    return ops.convert_to_numpy(model(ink, training=False))


def values(parts: layer_graph.LayerGraph, tensor: keras.KerasTensor, ink: np.ndarray) -> np.ndarray:
    """What one of the parts is for ink."""
    return answers(keras.Model(parts.ink, tensor), ink)


@pytest.fixture(scope="module")
def ink(some_digits) -> np.ndarray:
    return to_input(some_digits.images[:16])


@pytest.mark.parametrize("body", BODIES)
def test_layers_are_found_by_name(body):
    parts = layer_graph.analyse(make(body))
    feature_layer, convolutions, head_shape = EXPECTED[body]
    assert parts.feature_layer == feature_layer
    assert parts.convolutions == convolutions
    assert set(parts.convolution_kernels) == set(convolutions)
    assert {parts.feature_layer, *convolutions.values()} <= set(parts.maps)
    assert (parts.head.kernel.shape if parts.head else None) == head_shape
    assert len(set(parts.layers)) == len(parts.layers)
    assert [name for name in parts.layers if name in parts.maps] == list(parts.maps)


@pytest.mark.parametrize("body", BODIES)
def test_features_give_the_logits_behind_every_body(body, ink):
    plain = make(body, "logits")
    parts = layer_graph.analyse(make(body))
    expected = answers(plain, ink)
    np.testing.assert_allclose(values(parts, parts.logits, ink), expected, rtol=1e-5, atol=1e-5)
    kernel, bias = plain.layers[-1].get_weights()
    np.testing.assert_allclose(values(parts, parts.features, ink) @ kernel + bias, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("body", [body for body, (_, _, head_shape) in EXPECTED.items() if head_shape])
def test_linear_head_gives_the_logits_from_the_map(body, ink):
    parts = layer_graph.analyse(make(body))
    maps = values(parts, parts.maps[EXPECTED[body][0]], ink)
    kernel = np.broadcast_to(parts.head.kernel, (*maps.shape[1:], 10))
    logits = np.einsum("nhwc,hwck->nk", maps, kernel) + parts.head.bias
    np.testing.assert_allclose(logits, answers(make(body, "logits"), ink), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ending", ENDINGS)
def test_logits_lie_before_every_ending(ending, ink):
    model, logits = make("flatten", ending), answers(make("flatten", "logits"), ink)
    parts = layer_graph.analyse(model)
    np.testing.assert_allclose(values(parts, parts.logits, ink), logits, rtol=1e-5, atol=1e-5)
    assert parts.answers == (ending if ending in {"logits", "log_softmax", "sigmoid"} else "softmax")
    expected = answers(model, ink) if parts.answers == "softmax" else softmax(logits, axis=1)
    np.testing.assert_allclose(values(parts, parts.probabilities, ink), expected, atol=1e-6)


def test_only_the_last_use_of_a_shared_softmax_is_taken_off(ink):
    shared = layers.Softmax()
    body = [layers.Flatten(), layers.Dense(8), shared, layers.Dense(10)]
    model = functional(*body, shared)
    parts = layer_graph.analyse(model)
    np.testing.assert_allclose(softmax(values(parts, parts.logits, ink), axis=1), answers(model, ink), atol=1e-6)
    np.testing.assert_allclose(values(parts, parts.logits, ink), answers(functional(*body), ink), atol=1e-6)


def test_mean_of_two_softmaxes_is_an_answer_in_probabilities(ink):
    members = [functional(layers.Flatten(), layers.Dense(10, activation="softmax")) for _ in range(2)]
    model = functional(lambda hidden: layers.Average()([member(hidden) for member in members]))
    parts = layer_graph.analyse(model)
    np.testing.assert_allclose(values(parts, parts.probabilities, ink), answers(model, ink), atol=1e-6)


NO_DENSE_END = {
    "convolution": [convolution("first"), layers.Conv2D(10, 8), layers.Flatten()],
    "normalised dense": [convolution("first"), layers.Flatten(), layers.Dense(10), layers.BatchNormalization()],
    "scaled dense": [convolution("first"), layers.Flatten(), layers.Dense(10), layers.Rescaling(0.5)],
    "sigmoid before softmax": [layers.Flatten(), layers.Dense(10, activation="sigmoid"), layers.Softmax()],
}


@pytest.mark.parametrize("calls", NO_DENSE_END.values(), ids=NO_DENSE_END)
def test_without_a_dense_end_there_are_no_features(calls):
    parts = layer_graph.analyse(functional(*calls))
    assert parts.features is None
    assert parts.head is None


NOT_LINEAR = {
    "activation": [convolution("first", activation=None), layers.GlobalAveragePooling2D(), layers.ReLU()],
    "normalisation": [convolution("first"), layers.GlobalAveragePooling2D(), layers.BatchNormalization()],
    "maximum": [convolution("first"), layers.GlobalMaxPooling2D()],
    "operation": [convolution("first"), layers.Flatten(), ops.tanh],
}


@pytest.mark.parametrize("calls", NOT_LINEAR.values(), ids=NOT_LINEAR)
def test_head_that_is_not_linear_is_none(calls):
    parts = layer_graph.analyse(functional(*calls, layers.Dense(10)))
    assert parts.feature_layer == "first"
    assert parts.features is not None
    assert parts.head is None


def test_without_convolutions_there_is_no_feature_layer():
    parts = layer_graph.analyse(sequential(layers.Cropping2D(4, name="crop"), layers.Flatten(), layers.Dense(10)))
    assert parts.feature_layer is None
    assert (parts.convolutions, parts.convolution_kernels, parts.head) == ({}, {}, None)
    assert list(parts.maps) == ["crop"]


def test_kernels_are_the_layers_own():
    for body in ("flatten", "separable", "depthwise", "pooling"):
        model = make(body)
        kernel = layer_graph.analyse(model).convolution_kernels["first"]
        np.testing.assert_array_equal(kernel, model.get_layer("first").get_weights()[0])


def test_same_layer_names_in_two_nested_models_stay_apart(ink):
    left, right = (functional(convolution("first"), name=name) for name in ("left", "right"))
    model = functional(lambda hidden: layers.Add(name="sum")([left(hidden), right(hidden)]), layers.Flatten())
    model = functional(model, layers.Dense(10))
    parts = layer_graph.analyse(model)
    assert [name.split(".", 1)[1] for name in parts.convolutions] == ["left.first", "right.first"]
    np.testing.assert_allclose(values(parts, parts.logits, ink), answers(model, ink), rtol=1e-5, atol=1e-5)


def test_layers_may_have_the_names_that_are_made_here(ink):
    calls = (layers.Flatten(), layers.Dense(10, name="activation"), layers.Activation("relu", name="probabilities"))
    model = functional(*calls, layers.Dense(10, name="softmax"))
    parts = layer_graph.analyse(model)
    both = keras.Model(parts.ink, [parts.logits, parts.probabilities])
    logits, probabilities = map(ops.convert_to_numpy, both(ink))
    np.testing.assert_allclose(probabilities, softmax(logits, axis=1), atol=1e-6)


@pytest.mark.parametrize("body", BODIES)
def test_nothing_about_the_model_changes(body):
    model = make(body)

    def state() -> tuple:
        nodes = [len(layer._inbound_nodes) for layer in model._flatten_layers()]
        return model.get_config(), nodes, [layer.name for layer in model._flatten_layers()]

    before, weights = state(), model.get_weights()
    parts = layer_graph.analyse(model)
    copy = keras.Model(parts.ink, parts.logits)
    copy.set_weights([weight + 1 for weight in copy.get_weights()])
    assert state() == before
    for weight, earlier in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, earlier)


WRAPS = {"bare": lambda ink: ink, "list": lambda ink: [ink], "dictionary": lambda ink: {"ink": ink}}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_inputs_may_stand_in_a_list_or_a_dictionary(wrap, ink):
    given = keras.Input((28, 28, 1), name="ink")
    inner = keras.Input((28, 28, 1), name="ink")
    nested = keras.Model(wrap(inner), convolution("first")(inner), name="nested")
    model = keras.Model(wrap(given), layers.Dense(10)(layers.Flatten()(nested(wrap(given)))))
    parts = layer_graph.analyse(model)
    assert parts.feature_layer == "nested.first"
    np.testing.assert_allclose(values(parts, parts.logits, ink), answers(model, wrap(ink)), rtol=1e-5, atol=1e-5)


def built_by_a_call(ink: np.ndarray) -> keras.Sequential:
    model = keras.Sequential([convolution("first"), layers.Flatten(), layers.Dense(10)])
    model(ink[:1])
    return model


def with_its_own_loss(ink: np.ndarray) -> keras.Model:
    model = make("flatten")
    model.compile("adam", loss=lambda truth, answer: ops.mean(answer))
    return model


def with_frozen_layers(ink: np.ndarray) -> keras.Model:
    model = make("functional_in_sequential")
    model.get_layer("stem").trainable = False
    return model


@pytest.mark.parametrize("build", [built_by_a_call, with_its_own_loss, with_frozen_layers])
def test_models_are_taken_as_people_have_them(build, ink):
    model = build(ink)
    parts = layer_graph.analyse(model)
    answer = parts.probabilities if parts.answers == "softmax" else parts.logits
    np.testing.assert_allclose(values(parts, answer, ink[:1]), answers(model, ink[:1]), rtol=1e-5, atol=1e-5)


class Subclassed(keras.Model):
    def call(self, ink):
        return ops.reshape(ink, (-1, 784))


def several(inputs: int, outputs: int) -> keras.Model:
    ink = [keras.Input((28, 28, 1)) for _ in range(inputs)]
    flat = layers.Flatten()(ink[0] if inputs == 1 else layers.Add()(ink))
    return keras.Model(ink if inputs > 1 else ink[0], [layers.Dense(10)(flat) for _ in range(outputs)])


def on_bytes() -> keras.Model:
    ink = keras.Input((28, 28, 1), dtype="uint8")
    return keras.Model(ink, layers.Dense(10)(layers.Flatten()(layers.Rescaling(1 / 255)(ink))))


REFUSED = {
    "subclassed": (Subclassed, "expected a Sequential or Functional Keras model, got Subclassed"),
    "no model": (object, "expected a Sequential or Functional Keras model, got object"),
    "unbuilt": (lambda: keras.Sequential([layers.Flatten(), layers.Dense(10)]), "isn't built"),
    "empty": (lambda: keras.Sequential([]), "isn't built"),
    "two inputs": (lambda: several(2, 1), "one input and one output, got 2 and 1"),
    "two outputs": (lambda: several(1, 2), "one input and one output, got 1 and 2"),
    "colour": (lambda: sequential(layers.Flatten(), layers.Dense(10), shape=(28, 28, 3)), r"got \(28, 28, 3\)"),
    "no channels": (lambda: sequential(layers.Flatten(), layers.Dense(10), shape=(28, 28)), r"got \(28, 28\)"),
    "map": (lambda: sequential(convolution("first")), r"to several classes, got .* to \(8, 8, 4\)"),
    "one class": (lambda: sequential(layers.Flatten(), layers.Dense(1)), r"to several classes, got .* to \(1,\)"),
    "bytes": (on_bytes, "uint8"),
}


@pytest.mark.parametrize(("build", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_digit_classifier_is_refused_with_a_sentence(build, message):
    with pytest.raises(ValueError, match=message):
        layer_graph.analyse(build())
