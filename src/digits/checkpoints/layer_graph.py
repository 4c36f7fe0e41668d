"""The layer graph of a Keras classifier: its logits, what they are computed from, and its spatial feature maps.

Everything here works on a copy, so a model is never changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import keras
import numpy as np
from keras import KerasTensor, layers

SQUASHING = {"softmax", "log_softmax", "sigmoid"}
# At inference they return their input as it is, or in another shape.
TRANSPARENT = (
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.ActivityRegularization,
    layers.Identity,
    layers.Flatten,
    layers.Reshape,
)
ACTIVATIONS = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.BatchNormalization)


@dataclass(frozen=True)
class Call:
    """One call of a layer in the flat network: its name (with those of the enclosing models), inputs and output."""

    name: str
    layer: Any
    inputs: tuple[KerasTensor, ...]
    output: KerasTensor

    @property
    def is_convolution(self) -> bool:
        """Whether the layer has a spatial kernel: plain, depthwise, separable or transposed."""
        return any(len(weight.shape) == 4 for weight in getattr(self.layer, "weights", ()))

    @property
    def is_spatial(self) -> bool:
        """Whether the output, (N, h, w, c), has spatial positions."""
        shape = getattr(self.output, "shape", ())
        return len(shape) == 4 and all((extent or 0) > 1 for extent in shape[1:3])

    @property
    def squashing(self) -> str | None:
        """Name of the function to probabilities that this is or ends in, if any."""
        activation = getattr(self.layer, "activation", None)
        snake_case = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid"}
        name = getattr(activation, "__name__", None) or snake_case.get(type(activation or self.layer).__name__)
        return name if name in SQUASHING else None


@dataclass(frozen=True)
class LinearHead:
    """Logits that are linear in the last feature map: the sum over h, w and c of map × kernel, plus bias.

    Attributes:
        kernel: float32 (h, w, c, classes); (1, 1, c, classes), divided by the map's area, if the map is averaged first.
        bias: float32 (classes,).
    """

    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class LayerGraph:
    """The symbolic tensors of a classifier: those of one flat copy, without nested models.

    Attributes:
        ink: the input, (N, 28, 28, 1).
        logits: (N, classes), before a softmax or sigmoid, whether that is a layer or a layer's activation.
        probabilities: (N, classes): the softmax of the logits.
        answers: what the model's output is: "softmax", "sigmoid", "log_softmax" or "logits".
        features: input of the last dense layer, (N, d); None if the logits don't come from a dense layer.
        maps: outputs with a spatial extent, by layer name, in the order of computation.
        feature_layer: name of the last of them that depends on a convolution; None without convolutions.
        convolutions: by the name of each convolution, the name of the layer that outputs it after normalisation and
            activation.
        convolution_kernels: by the name of each convolution, its spatial kernel, float32 (rows, columns, in, out).
        layers: names of all layers, those of nested models as OUTER.INNER.
        head: the layers after `feature_layer`, if they are linear.
    """

    ink: KerasTensor
    logits: KerasTensor
    probabilities: KerasTensor
    answers: str
    features: KerasTensor | None
    maps: dict[str, KerasTensor]
    feature_layer: str | None
    convolutions: dict[str, str]
    convolution_kernels: dict[str, np.ndarray]
    layers: tuple[str, ...]
    head: LinearHead | None


def analyse(model: keras.Model) -> LayerGraph:
    """Analyse the layer graph of a classifier.

    Args:
        model: Sequential or Functional, nested or not, from (28, 28, 1) to two or more classes; it isn't changed.

    Raises:
        ValueError: the model is of another kind or shape.
    """
    _check(model)
    flat = _Flat(model)
    last = flat.behind_transparent(flat.logits)
    squashing = last.squashing if last else None
    if last and squashing:
        flat = _Flat(model, without=last.name)
    logits: Any = flat.logits
    answers = squashing or "logits"
    if not squashing and _are_probabilities(flat):
        # An ensemble's, say: its softmax is out of reach, but the logarithm is logits that give the same output.
        logits, answers = keras.ops.log(logits), "softmax"
    dense = flat.behind_transparent(logits)
    if not (
        dense and isinstance(dense.layer, layers.Dense) and _is_linear(dense.layer) and len(dense.output.shape) == 2
    ):
        dense = None
    maps = {call.name: call.output for call in flat.calls if call.is_spatial}
    convolutions = [call for call in flat.calls if call.is_convolution]
    fed = [call.name for call in flat.calls_after(convolutions) if call.is_spatial]
    feature_layer = fed[-1] if fed else None
    return LayerGraph(
        ink=flat.ink,
        logits=logits,
        # Also behind sigmoids: if only one class can be true, its probability is proportional to its odds.
        probabilities=layers.Activation("softmax", name=flat.unique_name("probabilities"))(logits),
        answers=answers,
        features=dense.inputs[0] if dense else None,
        maps=maps,
        feature_layer=feature_layer,
        convolutions={call.name: flat.activation_of(call).name for call in convolutions},
        convolution_kernels={call.name: _kernel(call.layer) for call in convolutions},
        layers=tuple(call.name for call in flat.calls),
        head=flat.linear_head(maps[feature_layer], dense) if feature_layer and dense else None,
    )


def standardised(model: keras.Model) -> keras.Model:
    """A flat copy of a classifier that ends in layers called `logits` and `probabilities`, as our own models do.

    Raises:
        ValueError: as for `analyse`.
    """
    graph = analyse(model)
    last: Any = graph.logits
    operation = last._keras_history.operation
    if "logits" not in graph.layers:
        operation.name = "logits"
    return keras.Model(graph.ink, graph.probabilities, name=model.name)


class _Flat:
    """A copy of a model, called layer by layer on a new input, with nested models inlined."""

    def __init__(self, model: keras.Model, without: str | None = None):
        """Copy and inline `model`, without the softmax or sigmoid of the layer called `without`."""
        copy = type(model).from_config(model.get_config())
        copy.set_weights(model.get_weights())
        for layer in copy._flatten_layers():
            if isinstance(layer, layers.Normalization):
                layer.finalize_state()
                # As constants: tensors would become inputs of an export.
                layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
        self.ink = cast(KerasTensor, keras.Input((28, 28, 1), dtype=model.inputs[0].dtype, name="ink"))
        self.calls: list[Call] = []
        self._without = without
        (self.logits,) = keras.tree.flatten(self._replay(copy, self.ink, ""))
        self._producer = {id(output): call for call in self.calls for output in keras.tree.flatten(call.output)}

    def _replay(self, model: keras.Model, inputs, outer: str):
        def call(layer, *args, **kwargs):
            if isinstance(layer, keras.Sequential | keras.Function):
                return self._replay(layer, args[0], f"{outer}{layer.name}.")
            if not any(layer is each.layer for each in self.calls):
                # Layers of different nested models may have the same name, those of one model may not.
                layer.name = f"{outer}{layer.name}"
            name = self.unique_name(layer.name)
            if name == self._without:
                if not getattr(layer, "weights", ()):
                    return args[0]
                layer.activation = keras.activations.linear
            output = layer(*args, **kwargs)
            tensors = [each for each in keras.tree.flatten((args, kwargs)) if isinstance(each, KerasTensor)]
            self.calls.append(Call(name, layer, tuple(tensors), output))
            return output

        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                inputs = call(layer, inputs)
            return inputs
        # Private, because the public `clone_model` with a `call_function` builds a model on `inputs`, which fails in
        # the middle of a graph for a nested model that is used twice.
        return model._run_through_graph(inputs, call_fn=call)

    def unique_name(self, name: str) -> str:
        """A name for another call, numbered if it is taken: a layer that is used twice has two outputs."""
        uses = sum(call.name.split("#")[0] == name for call in self.calls)
        return f"{name}#{uses + 1}" if uses else name

    def behind_transparent(self, tensor: KerasTensor) -> Call | None:
        """The call that a tensor comes from, skipping layers that only pass it on."""
        call = self._producer.get(id(tensor))
        while call and (isinstance(call.layer, TRANSPARENT) or _is_linear_activation(call.layer)):
            call = self._producer.get(id(call.inputs[0]))
        return call

    def calls_after(self, sources: Iterable[Call]) -> list[Call]:
        """The calls of `sources` and all that depend on them."""
        after = {id(call) for call in sources}
        for call in self.calls:
            if any(id(self._producer.get(id(tensor))) in after for tensor in call.inputs):
                after.add(id(call))
        return [call for call in self.calls if id(call) in after]

    def activation_of(self, call: Call) -> Call:
        """The last call of a convolution's normalisation and activation, also if it is pooled before them."""
        following = [each for each in self.calls if any(tensor is call.output for tensor in each.inputs)]
        if len(following) == 1 and isinstance(following[0].layer, ACTIVATIONS):
            return self.activation_of(following[0])
        if len(following) == 1 and isinstance(following[0].layer, layers.MaxPooling2D) and call.is_convolution:
            activation = self.activation_of(following[0])
            return call if activation is following[0] else activation
        return call

    def linear_head(self, feature_map: KerasTensor, dense: Call) -> LinearHead | None:
        """The head from `feature_map` to the logits, if only averaging or flattening precedes the dense layer."""
        tensor, averaged = dense.inputs[0], False
        while tensor is not feature_map:
            call = self._producer.get(id(tensor))
            if call and isinstance(call.layer, layers.GlobalAveragePooling2D):
                averaged = True
            elif not (call and isinstance(call.layer, TRANSPARENT)):
                return None
            tensor = call.inputs[0]
        _, height, width, channels = feature_map.shape
        kernel, *bias = dense.layer.get_weights()
        if averaged:
            kernel = kernel / (height * width)
        kernel = kernel.reshape(*(1, 1) if averaged else (height, width), channels, -1)
        return LinearHead(kernel, bias[0] if bias else np.zeros(kernel.shape[-1], kernel.dtype))


def _check(model: keras.Model) -> None:
    if not isinstance(model, keras.Sequential | keras.Function):
        raise ValueError(f"expected a Sequential or Functional Keras model, got {type(model).__name__}")
    if not getattr(model, "inputs", None):
        raise ValueError(f"{model.name} isn't built: call it on an image first, or give it an Input layer")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"expected a model with one input and one output, got {len(model.inputs)} and {len(model.outputs)}"
        )
    if not keras.backend.is_float_dtype(model.inputs[0].dtype):
        raise ValueError(f"expected a model on ink from 0 to 1, in floating point, got {model.inputs[0].dtype}")
    given, made = model.inputs[0].shape[1:], model.outputs[0].shape[1:]
    if given != (28, 28, 1) or len(made) != 1 or made[0] < 2:
        raise ValueError(f"expected a model from (28, 28, 1) to several classes, got {given} to {made}")


def _are_probabilities(flat: _Flat) -> bool:
    noise = np.random.default_rng(0).random((8, 28, 28, 1))
    outputs = np.asarray(keras.ops.convert_to_numpy(keras.Model(flat.ink, flat.logits)(noise, training=False)))
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def _is_linear(layer: keras.layers.Layer) -> bool:
    return layer.activation in (None, keras.activations.linear)


def _is_linear_activation(layer: keras.Operation) -> bool:
    return isinstance(layer, layers.Activation) and _is_linear(layer)


def _kernel(layer: keras.layers.Layer) -> np.ndarray:
    """A convolution's kernel, float32 (rows, columns, in, out); a depthwise filter has one input channel."""
    kernel = np.asarray(next(keras.ops.convert_to_numpy(weight) for weight in layer.weights if len(weight.shape) == 4))
    if isinstance(layer, layers.DepthwiseConv2D | layers.SeparableConv2D):
        return kernel.reshape(*kernel.shape[:2], 1, -1)
    return kernel.swapaxes(2, 3) if isinstance(layer, layers.Conv2DTranspose) else kernel
