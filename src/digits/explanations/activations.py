"""A digit's path through a network: what every layer of an exported model answers, and the products behind a value."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digits.checkpoints import onnx_session
from digits.checkpoints.recognizer import Recognizer
from digits.images import to_input

# ONNX's operators that are layers to a reader; the rest of a graph reshapes and transposes.
KINDS = {
    "Conv": "convolution",
    "MatMul": "dense",
    "Gemm": "dense",
    "Relu": "ReLU",
    "MaxPool": "maximum pooling",
    "AveragePool": "average pooling",
    "GlobalAveragePool": "average of each map",
    "Add": "sum",
    "Softmax": "softmax",
}


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
        name: as in the checkpoint.
        kind: one of the values of `KINDS`.
        tensor: what its output is called in the graph.
        source: what its first input is called.
        kernel: of a convolution, (maps, inputs, h, w); of a dense layer, (inputs, units); None for others.
        bias: one for each map or unit; None where there is no kernel.
        strides, pads: of a convolution; pads before and after, vertical and horizontal.
        groups: of a convolution; each sees its share of the inputs only.
    """

    name: str
    kind: str
    tensor: str
    source: str
    kernel: np.ndarray | None = None
    bias: np.ndarray | None = None
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1


@dataclass(frozen=True)
class Products:
    """How a layer came to one value: the sum of `seen` × `kernel`, and `bias`.

    Attributes:
        position: row and column of the value in its map; None for a unit, which has none.
        inputs: indices of the maps or units that it looks at.
        seen: what it sees of each, (inputs, h, w), or (inputs,) for a dense layer.
        kernel: what that is multiplied by, of the same shape.
        bias: what is added.
        value: the sum.
    """

    position: tuple[int, int] | None
    inputs: range
    seen: np.ndarray
    kernel: np.ndarray
    bias: float
    value: float


class Network:
    """A model's export, opened so that every layer's output can be read.

    Attributes:
        layers: in the order in which they are computed.

    Raises:
        ValueError: the model has no export, as a forest, or one that doesn't name its layers.
    """

    layers: tuple[Layer, ...]

    def __init__(self, recogniser: Recognizer):
        import onnx

        if recogniser.export is None or not recogniser.metadata.get("layers"):
            raise ValueError(f"{recogniser.name} has no layers to look into")
        export = recogniser.export
        model = onnx.load_from_string(export.read_bytes() if isinstance(export, Path) else export)
        self.layers = _layers(model.graph, recogniser.metadata["layers"].split())
        present = {each.name for each in [*model.graph.output, *model.graph.input]}
        for tensor in dict.fromkeys(name for layer in self.layers for name in (layer.source, layer.tensor)):
            if tensor not in present:
                model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
        self._session: Any = onnx_session.open_session(model.SerializeToString())
        self._input = self._session.get_inputs()[0].name

    def activations(self, image: np.ndarray) -> list[np.ndarray]:
        """Every layer's output for an image, uint8 (28, 28): maps, (maps, h, w), or units, (units,)."""
        values = self._run(image)
        found = [values[layer.tensor] for layer in self.layers]
        return [each.squeeze(axis=(1, 2)) if each.shape[1:] == (1, 1) else each for each in found]

    def products(self, image: np.ndarray, index: int, channel: int) -> Products:
        """What gave the largest value in a map of a convolution, or the value of a unit of a dense layer.

        Args:
            image: uint8 (28, 28).
            index: of the layer, among `layers`.
            channel: of the map or unit.

        Raises:
            ValueError: the layer multiplies nothing.
        """
        layer, values = self.layers[index], self._run(image)
        if layer.kernel is None or layer.bias is None:
            raise ValueError(f"{layer.name} multiplies nothing")
        bias, source, shown = float(layer.bias[channel]), values[layer.source], values[layer.tensor][channel]
        if layer.kernel.ndim == 2:
            return Products(None, range(len(source)), source, layer.kernel[:, channel], bias, float(shown))
        row, column = (int(each) for each in np.unravel_index(shown.argmax(), shown.shape))
        kernel = layer.kernel[channel]
        first = channel // (len(layer.kernel) // layer.groups) * len(kernel)
        inputs = range(first, first + len(kernel))
        top, left, bottom, right = layer.pads
        padded = np.pad(source[inputs], [(0, 0), (top, bottom), (left, right)])
        down, across = row * layer.strides[0], column * layer.strides[1]
        seen = padded[:, down : down + kernel.shape[1], across : across + kernel.shape[2]]
        return Products((row, column), inputs, seen, kernel, bias, float(shown[row, column]))

    def _run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Every layer's input and output, by the tensor's name."""
        ink = to_input(image[None])
        names = [each.name for each in self._session.get_outputs()]
        found = dict(zip(names, self._session.run(names, {self._input: ink}), strict=True))
        return {self._input: ink[0]} | {name: values[0] for name, values in found.items() if len(values) == 1}


def _layers(graph, names: list[str]) -> tuple[Layer, ...]:
    """The layers of an ONNX graph, by the names that the checkpoint gives them."""
    import onnx

    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    layers: dict[str, Layer] = {}
    for node in graph.node:
        if node.op_type not in KINDS:
            continue
        kernels = [constants[each] for each in node.input if each in constants]
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        dense = layers.get(node.input[0])
        if node.op_type == "Add" and kernels and dense:
            # A dense layer's bias is a step of its own.
            del layers[dense.tensor]
            layer = Layer(dense.name, dense.kind, node.output[0], dense.source, dense.kernel, kernels[0])
        else:
            layer = Layer(
                name=_name(node, names),
                kind=KINDS[node.op_type],
                tensor=node.output[0],
                source=node.input[0],
                kernel=kernels[0] if kernels else None,
                bias=kernels[1] if len(kernels) > 1 else np.zeros(len(kernels[0])) if kernels else None,
                strides=tuple(attributes.get("strides", (1, 1))),
                pads=tuple(attributes.get("pads", (0, 0, 0, 0))),
                groups=attributes.get("group", 1),
            )
        layers[layer.tensor] = layer
    return tuple(layers.values())


def _name(node, names: list[str]) -> str:
    """Which of the checkpoint's layers a node belongs to, by the path in its own name; else what it does."""
    parts = node.name.split("/")
    return next((name for name in names if any(part in (name, f"{name}_1") for part in parts)), KINDS[node.op_type])
