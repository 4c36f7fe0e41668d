"""Limits on the size of an untrusted model: shapes, weights and work, from its config, without building it."""

import math
from dataclasses import dataclass, field

from digits.untrusted.layer_rules import LAYERS, MERGING, Shape

# Calls of layers; a ResNet-50 has about 200.
CALLS = 300
WEIGHTS = 2_500_000
# Outputs per digit, of one layer and of all. A recogniser runs a block of digits at once.
LAYER_VALUES = 28 * 28 * 128
VALUES = 1_000_000
# Pixels of the largest input: 32×32 in three channels.
INPUT_VALUES = 32 * 32 * 3
# Multiplications per digit: seconds for the known digits, which each way of giving them is tried on.
WORK = 150_000_000


@dataclass
class _Tally:
    calls: int = 0
    values: int = 0
    work: int = 0
    # By the layer's entry, because a layer that is called twice has its weights once.
    weights: dict[int, int] = field(default_factory=dict)

    def add(self, layer: dict, shape: Shape, weights: int, work: int = 0) -> None:
        self.calls += 1
        self.values += math.prod(shape)
        self.work += work or weights * math.prod(shape[:-1])
        self.weights[id(layer)] = weights
        if not shape or min(shape) < 1:
            raise ValueError(f"its output is empty: {shape}")
        if math.prod(shape) > LAYER_VALUES or self.values > VALUES:
            raise ValueError(f"outputs are too large: {shape}, in all {self.values:,} numbers so far")
        if sum(self.weights.values()) > WEIGHTS:
            raise ValueError(f"the model has more than {WEIGHTS:,} weights up to this layer")
        if self.calls > CALLS or self.work > WORK:
            raise ValueError("the model has too many layers, or needs too many multiplications for a digit")


def measure(model: dict) -> tuple[Shape, int]:
    """The input shape of a model, without the batch axis, and its number of weights.

    Args:
        model: as `config_copy.copy` returns it.

    Raises:
        ValueError: it isn't a classifier of ten classes, its layers don't fit together, or it is too large.
    """
    tally = _Tally()
    (declared,) = (each["config"]["batch_shape"] for each in _layers(model) if each["class_name"] == "InputLayer")
    given = tuple(declared[1:])
    if not given or any(type(extent) is not int or extent < 1 for extent in given) or math.prod(given) > INPUT_VALUES:
        raise ValueError(f"expected a model of 28×28 pixels, got an input of shape {given}")
    shape = _trace(model, given, tally)
    if shape != (10,):
        raise ValueError(f"expected a model of ten classes, got an output of shape {shape}")
    return given, sum(tally.weights.values())


def _layers(model: dict) -> list[dict]:
    return model["config"]["layers"]


def _trace(model: dict, shape: Shape, tally: _Tally) -> Shape:
    """The output shape of a model, found layer by layer."""
    layers = _layers(model)
    if model["class_name"] == "Sequential":
        for layer in layers:
            shape = _call(layer, [shape], tally)
        return shape
    shapes, waiting = {}, []
    for layer in layers:
        if layer["class_name"] == "InputLayer":
            shapes[layer["name"], 0] = _call(layer, [shape], tally)
        elif not layer["inbound_nodes"]:
            raise ValueError(f"layer {layer['name']} isn't used")
        waiting += [(layer, use, node) for use, node in enumerate(layer["inbound_nodes"])]
    if len(waiting) > CALLS:
        raise ValueError(f"the model calls layers more than {CALLS} times")
    while waiting:
        later = []
        for layer, use, node in waiting:
            sources = _sources(node)
            if all(source in shapes for source in sources):
                shapes[layer["name"], use] = _call(layer, [shapes[source] for source in sources], tally)
            else:
                later.append((layer, use, node))
        if len(later) == len(waiting):
            raise ValueError(f"layer {later[0][0]['name']} depends on itself, or on one that doesn't exist")
        waiting = later
    name, use, _ = model["config"]["output_layers"][0]
    if (name, use) not in shapes:
        raise ValueError(f"the output comes from {name!r:.40}, which doesn't exist")
    return shapes[name, use]


def _sources(node: dict) -> list[tuple[str, int]]:
    """The layers whose outputs a call takes, each with the index of its own call."""
    tensors = [each for given in node["args"] for each in (given if isinstance(given, list) else [given])]
    histories = [each["config"]["keras_history"] for each in tensors]
    return [(name, use) for name, use, _ in histories]


def _call(layer: dict, shapes: list[Shape], tally: _Tally) -> Shape:
    """The output shape of a layer, or of a nested model, for its input shapes."""
    kind, config = layer["class_name"], layer["config"]
    if len(shapes) != 1 and kind not in MERGING:
        raise ValueError(f"{config['name']} takes one input, not {len(shapes)}")
    if "layers" in config:
        return _trace(layer, shapes[0], tally)
    try:
        shape, *costs = MERGING[kind][0](config, shapes) if kind in MERGING else LAYERS[kind][0](config, shapes[0])
        tally.add(layer, shape, *costs)
    except ValueError as error:
        raise ValueError(f"layer {config['name']} isn't supported: {error}") from error
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"layer {config['name']} isn't supported: its config is incomplete or malformed") from error
    return shape
