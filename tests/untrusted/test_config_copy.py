"""Odd configs and graphs of layers are refused in a sentence."""

import json
import tracemalloc
from contextlib import suppress

import pytest

from digits.untrusted import config_copy, size_limits
from tests.untrusted.keras_files import ANSWER, FLATTEN, cnn_config, edited, layer, refused, sequential, with_config

CONVOLUTION = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same"}


def convolution(filters: int, **config) -> dict:
    return layer("Conv2D", filters=filters, **CONVOLUTION | config)


def deep(depth: int) -> bytes:
    return json.dumps(sequential(FLATTEN, ANSWER)).replace('"softmax"', "[" * depth + "]" * depth).encode()


def nested_models(depth: int) -> dict:
    model = sequential(FLATTEN, ANSWER)
    for _ in range(depth):
        model = sequential(model)
    return model


def exponential() -> dict:
    """Models in each other, each of which uses the one in it twenty times: 160,000 uses of one layer."""
    model = sequential(layer("Identity"))
    for _ in range(4):
        model = {**model, "name": "inner", "config": model["config"] | {"name": "inner"}}
        sources = [["ink", 0, 0], *(["inner", use, 0] for use in range(20))]
        tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": source}} for source in sources]
        model["inbound_nodes"] = [{"args": [tensor], "kwargs": {}} for tensor in tensors[:-1]]
        ink = layer("InputLayer", batch_shape=[None, 28, 28, 1]) | {"inbound_nodes": []}
        ink["config"]["name"] = "ink"
        ends = {"input_layers": [sources[0]], "output_layers": [sources[-1]]}
        model = layer("Functional", "keras", layers=[ink, model], **ends)
    return model


def loop(layers: dict, _: dict) -> None:
    layers["convolution_2"]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["logits", 0, 0]


def with_number(number: str) -> bytes:
    model = sequential(layer("Rescaling", scale=1, offset=123), FLATTEN, ANSWER)
    return json.dumps(model).replace("123", number).encode()


CONFIGS = {
    "no JSON": (b"\x00\xff not JSON", "isn't JSON"),
    "a list": ([1], "isn't a Keras 3 model"),
    "a text": ("model", "isn't a Keras 3 model"),
    "nothing": ({}, "isn't a Keras 3 model"),
    "brackets": (b"[" * 900_000, "isn't JSON"),
    "objects in each other": (b'{"config":' * 90_000 + b"1" + b"}" * 90_000, "isn't JSON"),
    "deep list": (deep(900), "isn't supported"),
    "models too deep": (nested_models(5), "more than 5 deep"),
    "a subclass of Model": (layer("MyModel", "keras", layers=[]), "the model 'MyModel' isn't supported"),
    "a model of nothing": (layer("Model", "keras", layers=[]), "one input layer"),
    "a custom model": (
        layer("Sequential", "keras", "evil>Sequential", layers=[]),
        "'evil>Sequential' isn't supported",
    ),
    "no layers": (layer("Sequential", "keras", layers=[]), "one input layer"),
    "never built": (layer("Sequential", "keras", layers=[FLATTEN, ANSWER]), "one input layer"),
    "two inputs": (sequential(layer("InputLayer", batch_shape=[None, 28, 28, 1]), FLATTEN, ANSWER), "one input layer"),
    "a large input": (sequential(FLATTEN, ANSWER, shape=(224, 224, 3)), "got an input of shape (224, 224, 3)"),
    "any size": (sequential(FLATTEN, ANSWER, shape=(None, None, 1)), "got an input of shape (None, None, 1)"),
    "letters": (
        sequential(FLATTEN, layer("Dense", units=26)),
        "expected a model of ten classes, got an output of shape (26,)",
    ),
    "an image as answer": (sequential(layer("Dense", units=10)), "got an output of shape (28, 28, 10)"),
    "whole numbers": (
        sequential(FLATTEN, ANSWER | {"config": ANSWER["config"] | {"dtype": "int8_from_float32"}}),
        "only floating-point",
    ),
    "many means": (
        sequential(layer("Normalization", axis=None, mean=[0] * 10_000, variance=1), FLATTEN, ANSWER),
        "mean = [0, 0",
    ),
    "deep means": (
        sequential(layer("Normalization", axis=None, mean=[[[["x"]]]], variance=1), FLATTEN, ANSWER),
        "mean = [[[['x']]]] isn't supported",
    ),
    "attention to nothing": (sequential(layer("Attention"), FLATTEN, ANSWER), "isn't supported"),
    "endless steps": (
        sequential(layer("Reshape", target_shape=[784, 1]), layer("RepeatVector", n=10**6), ANSWER),
        "n = 1000000 isn't",
    ),
    "a wrapped wrapper": (
        sequential(layer("TimeDistributed", layer=layer("TimeDistributed", layer=ANSWER)), FLATTEN, ANSWER),
        "wraps a TimeDistributed",
    ),
    "slow steps": (
        sequential(
            layer("Reshape", target_shape=[784, 1]),
            *[layer("LSTM", units=128, return_sequences=True, activation="tanh")] * 2,
            layer("GlobalAveragePooling1D"),
            ANSWER,
        ),
        "too many multiplications",
    ),
    "a dense shape bomb": (sequential(FLATTEN, layer("Dense", units=50_000_000), ANSWER), "units = 50000000 isn't"),
    "a text as number": (sequential(FLATTEN, layer("Dense", units="10")), "isn't supported"),
    "many units": (sequential(FLATTEN, layer("Dense", units=5_000), ANSWER), "from 1 to 4,096"),
    "negative units": (sequential(FLATTEN, layer("Dense", units=-1), ANSWER), "from 1 to 4,096"),
    "true units": (sequential(FLATTEN, layer("Dense", units=True), ANSWER), "from 1 to 4,096"),
    "no units": (sequential(FLATTEN, layer("Dense"), ANSWER), "incomplete"),
    "a number without end": (with_number("1e999"), "offset = inf isn't supported"),
    "not a number": (with_number("NaN"), "offset = nan isn't supported"),
    "a number of 4,000 digits": (with_number("9" * 4_000), "offset = 999"),
    "a number of 10,000 digits": (with_number("9" * 10_000), "isn't JSON"),
    "too many weights": (sequential(FLATTEN, layer("Dense", units=4_000), ANSWER), "more than 2,500,000 weights"),
    "too many layers": (sequential(*[layer("ReLU")] * 400, FLATTEN, ANSWER), "too many layers"),
    "models in models": (exponential(), "too many layers"),
    "too much work": (sequential(*[convolution(128)] * 6, FLATTEN, ANSWER), "too many multiplications"),
    "too wide": (sequential(convolution(129), FLATTEN, ANSWER), "outputs are too large"),
    "all together too wide": (
        sequential(convolution(128), *[layer("ReLU")] * 20, FLATTEN, ANSWER),
        "outputs are too large",
    ),
    "enlarged": (sequential(layer("UpSampling2D", size=[64, 64]), FLATTEN, ANSWER), "outputs are too large"),
    "padded": (sequential(layer("ZeroPadding2D", padding=[[900, 900], [900, 900]]), FLATTEN, ANSWER), "from 0 to 64"),
    "cut to nothing": (
        sequential(layer("Cropping2D", cropping=[[14, 14], [0, 0]]), FLATTEN, ANSWER),
        "its output is empty",
    ),
    "reshaped to more": (sequential(layer("Reshape", target_shape=[1000, 1000]), FLATTEN, ANSWER), "can't reshape"),
    "reshaped to many axes": (
        sequential(layer("Reshape", target_shape=[28, 28, *[1] * 300]), FLATTEN, ANSWER),
        "target_shape",
    ),
    "reshaped by nothing": (sequential(layer("Reshape", target_shape=[0, -1]), FLATTEN, ANSWER), "can't reshape"),
    "reshaped twice unknown": (sequential(layer("Reshape", target_shape=[-1, -1]), FLATTEN, ANSWER), "can't reshape"),
    "a huge kernel": (sequential(convolution(1, kernel_size=[5_000, 5_000]), FLATTEN, ANSWER), "from 1 to 64"),
    "a dilation": (sequential(convolution(1, dilation_rate=[60, 60]), FLATTEN, ANSWER), "from 1 to 64"),
    "a kernel beyond the image": (
        sequential(convolution(1, kernel_size=[29, 29], padding="valid"), FLATTEN, ANSWER),
        "larger",
    ),
    "groups": (sequential(convolution(4, groups=4), FLATTEN, ANSWER), "'groups' = 4 isn't supported"),
    "channels first": (sequential(convolution(4, data_format="channels_first"), FLATTEN, ANSWER), "'data_format'"),
    "a multiplier": (
        sequential(layer("SeparableConv2D", filters=1, depth_multiplier=4_000, **CONVOLUTION), FLATTEN, ANSWER),
        "its depth_multiplier must be a whole number from 1 to 8",
    ),
    "transposed": (
        sequential(layer("Conv2DTranspose", filters=9, **CONVOLUTION | {"strides": [9, 9]}), FLATTEN, ANSWER),
        "outputs are too large",
    ),
    "a sparse input": (sequential(layer("InputLayer", batch_shape=[None, 28, 28, 1], sparse=True)), "'sparse' = True"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_odd_config_is_refused_in_a_sentence(case, no_child):
    config, reason = CONFIGS[case]
    tracemalloc.start()
    assert reason in refused(with_config(config))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000


def history(name: str, *numbers: object):
    def change(layers: dict, _: dict) -> None:
        layers["logits"]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = [name, *numbers]

    return change


GRAPHS = {
    "a loop": (loop, "depends on itself"),
    "an unknown layer": (history("nobody", 0, 0), "depends on itself, or on one that doesn't exist"),
    "an unknown use": (history("flatten", 7, 0), "depends on itself, or on one that doesn't exist"),
    "a huge use": (history("flatten", 10**9, 0), "refers to a tensor as"),
    "a second output": (history("flatten", 0, 1), "refers to a tensor as"),
    "an odd reference": (history("flatten", "0", 0), "refers to a tensor as"),
    "a layer that isn't used": (lambda layers, _: layers["dropout"].update(inbound_nodes=[]), "isn't used"),
    "an older node": (
        lambda layers, _: layers["dropout"].update(inbound_nodes=[[["x", 0, 0, {"training": True}]]]),
        "more than tensors",
    ),
    "used very often": (
        lambda layers, _: layers["flatten"].update(inbound_nodes=layers["flatten"]["inbound_nodes"] * 1_000),
        "calls layers more than 300 times",
    ),
    "no tensors": (lambda layers, _: layers["flatten"]["inbound_nodes"][0].update(args=[[]]), "takes one input, not 0"),
    "always in training": (
        lambda layers, _: layers["dropout"]["inbound_nodes"][0].update(kwargs={"training": True}),
        "more than tensors",
    ),
    "one name twice": (lambda layers, _: layers["dropout"]["config"].update(name="flatten"), "different names"),
    "a name with a path": (lambda layers, _: layers["dropout"]["config"].update(name="../x"), "the name '../x'"),
    "a long name": (lambda layers, _: layers["dropout"]["config"].update(name="x" * 1_000), "the name 'xxx"),
    "an unknown output": (
        lambda _, config: config["config"].update(output_layers=[["nobody", 0, 0]]),
        "comes from 'nobody', which doesn't exist",
    ),
    "two outputs": (
        lambda _, config: config["config"].update(output_layers=[["logits", 0, 0], ["probabilities", 0, 0]]),
        "one input and one output",
    ),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_odd_graph_is_refused_in_a_sentence(case, no_child):
    change, reason = GRAPHS[case]
    assert reason in refused(edited(change))


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The path of keys to everything in a config."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, item in inner for each in places(item, (*path, key)))]


ODD = (None, True, -1, 0.5, 10**9, "x", "", [], [5], [[]], [None], {}, {"class_name": ["x"]}, [{"config": 1}])


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_anything_anywhere_is_a_sentence_at_worst(odd):
    text = json.dumps(cnn_config())
    for *path, last in places(cnn_config())[1:]:
        config = target = json.loads(text)
        for key in path:
            target = target[key]
        target[last] = odd
        # It may be harmless; any other exception fails the test.
        with suppress(ValueError):
            size_limits.measure(config_copy.copy(json.dumps(config).encode()))
