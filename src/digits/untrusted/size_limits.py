"""How large a stranger's model is: its shapes, weights and work, from its `blueprint`, without building it."""

import math
from dataclasses import dataclass, field

from digits.untrusted.layer_rules import LAYERS, MERGING, Shape

# Uses of layers; a residual network of fifty layers has two hundred.
CALLS = 300
WEIGHTS = 2_500_000
# Numbers that one layer, or all of them, make of one digit. A recogniser takes a block of digits at once.
LAYER_VALUES = 28 * 28 * 128
VALUES = 1_000_000
# Multiplications for one digit: seconds for the hundred on which an export is checked.
WORK = 500_000_000


@dataclass
class _Tally:
    calls: int = 0
    values: int = 0
    work: int = 0
    # By the layer's own entry, because a layer that is used twice has its weights once.
    weights: dict[int, int] = field(default_factory=dict)

    def add(self, layer: dict, shape: Shape, weights: int) -> None:
        self.calls += 1
        self.values += math.prod(shape)
        self.work += weights * math.prod(shape[:-1])
        self.weights[id(layer)] = weights
        if not shape or min(shape) < 1:
            raise ValueError(f"nothing is left of the image: {shape}")
        if math.prod(shape) > LAYER_VALUES or self.values > VALUES:
            raise ValueError(f"it makes too many numbers of one digit: {shape}, {self.values:,} with those before")
        if sum(self.weights.values()) > WEIGHTS:
            raise ValueError(f"the model has more than {WEIGHTS:,} weights up to it")
        if self.calls > CALLS or self.work > WORK:
            raise ValueError("the model has more layers, or takes more work for one digit, than can be admitted")


def measure(model: dict) -> int:
    """The number of weights of a model, as `blueprint.copy` gives it.

    Raises:
        ValueError: it isn't a classifier of 28×28 digits, its layers don't fit each other, or it is too large.
    """
    tally = _Tally()
    shape = _trace(model, (28, 28, 1), tally)
    if shape != (10,):
        raise ValueError(f"expected a model of ten classes, got the output {shape}")
    return sum(tally.weights.values())


def _trace(model: dict, shape: Shape, tally: _Tally) -> Shape:
    """What a model makes of a shape, layer by layer."""
    layers = model["config"]["layers"]
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
        raise ValueError(f"the model uses layers more than {CALLS} times")
    while waiting:
        later = []
        for layer, use, node in waiting:
            given = [shapes.get(source) for source in _sources(node)]
            if None in given:
                later.append((layer, use, node))
            else:
                shapes[layer["name"], use] = _call(layer, given, tally)
        if len(later) == len(waiting):
            raise ValueError(f"layer {later[0][0]['name']} waits for itself, or for one that there isn't")
        waiting = later
    name, use, _ = model["config"]["output_layers"][0]
    if (name, use) not in shapes:
        raise ValueError(f"the output comes from {name!r:.40}, which there isn't")
    return shapes[name, use]


def _sources(node: dict) -> list[tuple[str, int]]:
    """Layers and which of their uses a use of a layer takes."""
    (tensors,) = node["args"]
    histories = [each["config"]["keras_history"] for each in (tensors if isinstance(tensors, list) else [tensors])]
    return [(name, use) for name, use, _ in histories]


def _call(layer: dict, shapes: list[Shape], tally: _Tally) -> Shape:
    """What a layer, or a model as one, makes of the shapes that it is given."""
    kind, config = layer["class_name"], layer["config"]
    if len(shapes) != 1 and kind not in MERGING:
        raise ValueError(f"{config['name']} takes one input, not {len(shapes)}")
    if "layers" in config:
        return _trace(layer, shapes[0], tally)
    try:
        shape, weights = MERGING[kind][0](config, shapes) if kind in MERGING else LAYERS[kind][0](config, shapes[0])
        tally.add(layer, shape, weights)
    except ValueError as error:
        raise ValueError(f"layer {config['name']} can't be admitted: {error}") from error
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"layer {config['name']} can't be admitted: its config is incomplete or odd") from error
    return shape
