"""A safe copy of the `config.json` of an untrusted model, which is read as data, without Keras.

The copy, which Keras gets, is built only from what is known here: layers from `layer_rules` under module names set
here, and the connections between them, with nothing for training. Anything unknown is refused.
"""

import json
import re

from digits.untrusted.layer_rules import ACTIVATION_LAYERS, ACTIVATIONS, IDENTITIES, LAYERS, MERGING

# As Keras itself names their modules in the files that it saves; nothing is imported from them here.
MODELS = {"Sequential": "keras", "Functional": "keras.src.models.functional"}
MODEL_DEPTH = 5
# Limit of any number in a config.
NUMBER = 100_000
# Limit of the index of a layer's call.
USES = 300
WORDS = ACTIVATIONS | {"valid", "same", "nearest", "bilinear"}
TRAINING_KEYS = {"trainable", "seed", "momentum", "renorm_momentum", "synchronized"}
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


def copy(content: bytes) -> dict:
    """A copy of a `config.json` that is safe to give to Keras.

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
    config = _get(entry, "config", dict)
    layers = []
    for each in _get(config, "layers", list):
        nested = _get(each, "class_name", str) in MODELS
        layer = _model(each, depth + 1) if nested else _layer(each)
        if kind == "Functional":
            layer["name"] = layer["config"]["name"]
            layer["inbound_nodes"] = [_node(node) for node in _get(each, "inbound_nodes", list)]
        layers.append(layer)
    names = [layer["config"]["name"] for layer in layers]
    inputs = [layer["class_name"] == "InputLayer" for layer in layers]
    if len(set(names)) < len(names) or sum(inputs) != 1 or not (kind == "Functional" or inputs[0]):
        raise ValueError("expected a built model with one input layer and different names for all layers")
    copied: dict[str, object] = {"name": _name(config), "layers": layers}
    if kind == "Functional":
        for key in ("input_layers", "output_layers"):
            copied[key] = [_reference(_only(_get(config, key, list)))]
    return {"module": MODELS[kind], "class_name": kind, "config": copied, "registered_name": None}


def _layer(entry: dict) -> dict:
    kind = _kind(entry, LAYERS | MERGING | dict.fromkeys(IDENTITIES), "layer")
    config = _get(entry, "config", dict)
    _, kept = (LAYERS | MERGING).get(kind, (None, ""))
    copied: dict[str, object] = {"name": _name(config)}
    for key, value in config.items():
        role = key.rpartition("_")[2]
        if key in kept.split():
            copied[key] = _activation(value) if key == "activation" else _plain(key, value)
        elif key == "dtype":
            _check_dtype(value)
        elif role in TRAINING_OBJECTS and isinstance(value, dict):
            _kind(value, TRAINING_OBJECTS[role], role)
        elif key in {"name", *TRAINING_KEYS} or role in TRAINING_OBJECTS or kind in IDENTITIES:
            _check_left_out(key, value)
        elif value not in (None, False, USUAL.get(key)):
            raise ValueError(f"a {kind} with {key!r:.40} = {value!r:.40} isn't supported")
    if kind == "InputLayer":
        # A model that was built by a call keeps the batch size of that call.
        copied["batch_shape"] = [None, *_get(copied, "batch_shape", list)[1:]]
    kind = "Identity" if kind in IDENTITIES else kind
    return {"module": "keras.layers", "class_name": kind, "config": copied, "registered_name": None}


def _kind(entry: dict, known: dict | set, what: str) -> str:
    """The class of an object's entry, if it is one of Keras's own that are known."""
    kind = _get(entry, "class_name", str)
    module, registered = entry.get("module"), entry.get("registered_name")
    if kind not in known or registered not in (None, kind):
        raise ValueError(f"the {what} {registered or kind!r:.60} isn't supported: only Keras's own, common ones are")
    if not isinstance(module, str) or module.split(".")[0] != "keras":
        raise ValueError(f"the {what} {kind} comes from {module!r:.60}, not from Keras")
    return kind


def _activation(value: object) -> object:
    if isinstance(value, dict):
        _kind(value, ACTIVATION_LAYERS, "activation")
        return _layer(value)
    if value is not None and not (isinstance(value, str) and value in ACTIVATIONS):
        raise ValueError(f"the activation {value!r:.40} isn't supported")
    return value


def _check_dtype(value: object) -> None:
    name = value
    if isinstance(value, dict):
        _kind(value, {"DTypePolicy"}, "dtype policy")
        name = _get(value, "config", dict).get("name")
    if name != "float32":
        raise ValueError(f"a layer computes in {name!r:.40}; only float32 is supported")


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
    arguments = _only(_get(node, "args", list))
    if any(value not in (None, False) for value in _get(node, "kwargs", dict).values()):
        raise ValueError("a layer is called with more than tensors, which isn't supported")
    many = isinstance(arguments, list)
    tensors = [_tensor(each) for each in (arguments if many else [arguments])]
    return {"args": [tensors] if many else tensors, "kwargs": {}}


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
