"""A safe copy of the `config.json` of an untrusted model, which is read as data, without Keras.

The copy, which Keras gets, is built only from what is known here: layers from `layer_rules` under module names set
here, and the connections between them, with nothing for training. Anything unknown is refused.
"""

import json
import re

from digits.untrusted.layer_rules import ACTIVATION_LAYERS, ACTIVATIONS, IDENTITIES, LAYERS, MERGING

# As Keras itself names their modules in the files that it saves; nothing is imported from them here.
MODELS = {"Sequential": "keras", "Functional": "keras.src.models.functional", "Model": "keras.src.models.functional"}
# The package of Keras 2 for newer releases of TensorFlow has its own name.
PACKAGES = ("keras", "tf_keras")
MODEL_DEPTH = 5
# Limit of any number in a config.
NUMBER = 100_000
# Limit of the index of a layer's call.
USES = 300
# The mean of each pixel, say.
NUMBERS = 28 * 28 * 3
WORDS = ACTIVATIONS | {"valid", "same", "causal", "nearest", "bilinear", "dot", "concat", "sum", "mul", "ave"}
# What matters only for training, or says how to compute the same.
TRAINING_KEYS = (
    {"trainable", "seed", "momentum", "renorm_momentum", "synchronized", "dropout", "recurrent_dropout"}
    | {"unit_forget_bias", "implementation", "optional", "batch_input_shape", "zero_output_for_mask"}
)  # fmt: skip
TRAINING_OBJECTS = {
    "initializer": (
        {"Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform"}
        | {"Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal", "RandomUniform", "TruncatedNormal"}
        | {"VarianceScaling", "Zeros"}
    ),
    "regularizer": {"L1", "L2", "L1L2", "OrthogonalRegularizer"},
    "constraint": {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"},
}
# Any other value that no rule uses must be None or False.
USUAL = {"data_format": "channels_last", "groups": 1, "dilation_rate": [1, 1]}
# All are copied as single precision; `input_format` finds out what the numbers have to be.
DTYPES = {"float32", "float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"}
INPUT_DTYPES = DTYPES | {"uint8", "int32", "int64"}


def copy(content: bytes) -> dict:
    """A copy of a `config.json`, or of the config in an `.h5` file, that is safe to give to Keras 3.

    Raises:
        ValueError: it isn't a Sequential or Functional model of common layers, or holds anything unknown.
    """
    try:
        entry = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("config.json isn't JSON as Keras writes it") from error
    return _model(entry, 1)


def _model(entry: dict, depth: int) -> dict:
    """A copy of a model's entry with all its layers."""
    if depth > MODEL_DEPTH:
        raise ValueError(f"models are nested more than {MODEL_DEPTH} deep")
    kind = _kind(entry, MODELS, "model")
    if isinstance(entry.get("config"), list):
        # The first releases of Keras 2 stored a Sequential model as the list of its layers.
        entry = {"config": {"name": "sequential", "layers": entry["config"]}}
    config = _get(entry, "config", dict)
    entries = _get(config, "layers", list)
    if kind == "Sequential":
        entries = [*_missing_input(entries), *entries]
    layers = []
    for each in entries:
        nested = _get(each, "class_name", str) in MODELS
        layer = _model(each, depth + 1) if nested else _layer(each)
        if kind != "Sequential":
            layer["name"] = layer["config"]["name"]
            layer["inbound_nodes"] = [_node(node) for node in _get(each, "inbound_nodes", list)]
        layers.append(layer)
    names = [layer["config"]["name"] for layer in layers]
    inputs = [layer["class_name"] == "InputLayer" for layer in layers]
    if len(set(names)) < len(names) or sum(inputs) != 1 or not (kind != "Sequential" or inputs[0]):
        raise ValueError("expected a built model with one input layer and different names for all layers")
    copied: dict[str, object] = {"name": _name(config), "layers": layers}
    if kind != "Sequential":
        for key in ("input_layers", "output_layers"):
            copied[key] = [_reference(_only(_get(config, key, list)))]
    kind = "Sequential" if kind == "Sequential" else "Functional"
    return {"module": MODELS[kind], "class_name": kind, "config": copied, "registered_name": None}


def _missing_input(entries: list) -> list[dict]:
    """The input layer that Keras 2 left out: its shape was part of the first layer's config."""
    config = _get(entries[0], "config", dict) if entries else {}
    if "batch_input_shape" not in config or entries[0].get("class_name") == "InputLayer":
        return []
    config = {"name": f"{_name(config)}_input", "batch_input_shape": config["batch_input_shape"]}
    return [{"class_name": "InputLayer", "config": config}]


def _layer(entry: dict) -> dict:
    kind = _kind(entry, LAYERS | MERGING | dict.fromkeys(IDENTITIES), "layer")
    config = _get(entry, "config", dict)
    _, kept = (LAYERS | MERGING).get(kind, (None, ""))
    copied: dict[str, object] = {"name": _name(config)}
    for key, value in config.items():
        role = key.rpartition("_")[2]
        if key in kept.split():
            # Keras 2 stores the axis as a list.
            only = (kind, key) == ("BatchNormalization", "axis") and isinstance(value, list) and len(value) == 1
            copied[key] = _kept(key, value[0] if only else value)
        elif key == "dtype":
            _check_dtype(value, INPUT_DTYPES if kind == "InputLayer" else DTYPES)
        elif role in TRAINING_OBJECTS and isinstance(value, dict):
            _kind(value, TRAINING_OBJECTS[role], role)
        elif key in {"name", *TRAINING_KEYS} or role in TRAINING_OBJECTS or kind in IDENTITIES:
            _check_left_out(key, value)
        elif (kind, key) == ("LeakyReLU", "alpha"):
            # Keras 2's name.
            copied["negative_slope"] = _plain(key, value)
        elif value not in (None, False, USUAL.get(key)):
            raise ValueError(f"a {kind} with {key!r:.40} = {value!r:.40} isn't supported")
    if kind == "InputLayer":
        shape = _plain("batch_shape", config.get("batch_shape", config.get("batch_input_shape")))
        # A model that was built by a call keeps the batch size of that call.
        copied["batch_shape"] = [None, *(shape if isinstance(shape, list) else [])[1:]]
    kind = "Identity" if kind in IDENTITIES else kind
    return {"module": "keras.layers", "class_name": kind, "config": copied, "registered_name": None}


def _kept(key: str, value: object) -> object:
    if key.endswith("activation"):
        return _activation(value)
    if key in ("layer", "backward_layer"):
        return _layer(value) if isinstance(value, dict) else None
    return _numbers(key, value) if key in ("mean", "variance") else _plain(key, value)


def _kind(entry: dict, known: dict | set, what: str) -> str:
    """The class of an object's entry, if it is one of Keras's own that are known."""
    kind = _get(entry, "class_name", str)
    # Keras 2 and `.h5` files name no modules.
    module, registered = entry.get("module", "keras"), entry.get("registered_name")
    if kind not in known or registered not in (None, kind):
        raise ValueError(f"the {what} {registered or kind!r:.60} isn't supported: only Keras's own, common ones are")
    if not isinstance(module, str) or module.split(".")[0] not in PACKAGES:
        raise ValueError(f"the {what} {kind} comes from {module!r:.60}, not from Keras")
    return kind


def _activation(value: object) -> object:
    if isinstance(value, dict):
        _kind(value, ACTIVATION_LAYERS, "activation")
        return _layer(value)
    if value is not None and not (isinstance(value, str) and value in ACTIVATIONS):
        raise ValueError(f"the activation {value!r:.40} isn't supported")
    return value


def _check_dtype(value: object, allowed: set[str]) -> None:
    name = value
    if isinstance(value, dict):
        # The latter is Keras 2's.
        _kind(value, {"DTypePolicy", "Policy"}, "dtype policy")
        name = _get(value, "config", dict).get("name")
    if not isinstance(name, str) or name not in allowed:
        raise ValueError(f"a layer computes in {name!r:.40}; only floating-point numbers are supported")


def _numbers(key: str, value: object) -> object:
    """A number, or lists of a limited number of them in each other."""
    if value is None:
        return None
    left, waiting = NUMBERS, [value]
    while waiting:
        each = waiting.pop()
        left -= 1
        if isinstance(each, list) and len(each) <= left:
            waiting += each
        elif left < 0 or isinstance(each, list) or not (isinstance(each, int | float) and abs(each) <= NUMBER):
            raise ValueError(f"{key} = {value!r:.40} isn't supported")
    return value


def _plain(key: str, value: object) -> object:
    """A value made of bounded numbers, known words and short lists of them."""
    if isinstance(value, list) and len(value) <= 4:
        return [_plain(key, each) for each in value]
    # NaN fails this comparison.
    number = isinstance(value, int | float) and abs(value) <= NUMBER
    if not (value is None or number or (isinstance(value, str) and value in WORDS)):
        raise ValueError(f"{key} = {value!r:.40} isn't supported")
    return value


def _check_left_out(key: str, value: object) -> None:
    """Refuse objects even in values that aren't copied."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict | list) for each in value)):
        raise ValueError(f"{key!r:.40} = {value!r:.40} isn't supported")


def _name(config: dict) -> str:
    name = _get(config, "name", str)
    if not re.fullmatch(r"[A-Za-z0-9_.\-]{1,100}", name):
        raise ValueError(
            f"the name {name!r:.40} isn't supported: expected letters, digits, dots, hyphens and underscores"
        )
    return name


def _get(mapping: object, key: str, kind: type):
    if not isinstance(mapping, dict) or not isinstance(mapping.get(key), kind):
        raise ValueError(f"config.json isn't a Keras 3 model: {key!r} is missing or of the wrong type")
    return mapping[key]


def _node(node: object) -> dict:
    """A copy of one call of a layer: the tensors that it takes."""
    if isinstance(node, list):
        # Keras 2: a list of names, each with two numbers and a dictionary of other arguments.
        if not all(isinstance(each, list) and len(each) == 4 and each[3] == {} for each in node):
            raise ValueError("a layer is called with more than tensors, which isn't supported")
        tensors = [_tensor({"config": {"keras_history": each[:3]}}) for each in node]
        return {"args": [tensors if len(tensors) != 1 else tensors[0]], "kwargs": {}}
    arguments, others = [*_get(node, "args", list)], {**_get(node, "kwargs", dict)}
    # Attention's inputs may be given by name.
    arguments += [others.pop(name) for name in ("query", "value", "key") if isinstance(others.get(name), dict)]
    if any(value not in (None, False) for value in others.values()) or not 1 <= len(arguments) <= 3:
        raise ValueError("a layer is called with more than tensors, which isn't supported")
    return {"args": [_tensors(each) for each in arguments], "kwargs": {}}


def _tensors(argument: object) -> dict | list[dict]:
    return [_tensor(each) for each in argument] if isinstance(argument, list) else _tensor(argument)


def _tensor(entry: object) -> dict:
    history = _reference(_get(_get(entry, "config", dict), "keras_history", list))
    # The shape is a placeholder that Keras replaces.
    config = {"shape": [None], "dtype": "float32", "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def _reference(value: object) -> list:
    """A layer's name, the index of its call, and 0, because layers here have one output."""
    if (
        not isinstance(value, list)
        or [type(each) for each in value] != [str, int, int]
        or not 0 <= value[1] < USES
        or value[2]
    ):
        raise ValueError(
            f"config.json refers to a tensor as {value!r:.40}, expected a layer's name, the index of its call, and 0"
        )
    return value


def _only(values: list):
    """The only item of a list; a list of a name and two numbers is an item itself."""
    if values and isinstance(values[0], str):
        return values
    if len(values) != 1:
        raise ValueError(f"expected models and layers with one input and one output, got {len(values)}")
    return values[0]
