"""Models as attribution methods see them: logits, feature maps and gradients, with TensorFlow or without.

`ExportedModel` runs a checkpoint's export. Behind a linear head, the gradient with respect to the feature map is the
head's kernel, so Grad-CAM needs no TensorFlow. `KerasModel` differentiates any Keras classifier at any layer.

`weights`, float (N, classes), choose the score to explain: for image i, the sum of logits × weights[i]. A single 1
selects a logit, a 1 and a -1 the contrast of two.
"""

from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np

from digits.checkpoints.recognizer import Recognizer, blocks_of

if TYPE_CHECKING:
    import keras


class ExplainableModel(Protocol):
    """What attribution methods need of a model.

    `all_layers` are the names of all its layers, `layers` of those with feature maps, and `feature_layer` of the last
    one behind a convolution. Gradients with respect to the ink need `has_gradient`, those with respect to the feature
    maps need that or `has_linear_head`.
    """

    name: str
    all_layers: tuple[str, ...]
    layers: tuple[str, ...]
    feature_layer: str | None
    has_gradient: bool
    has_linear_head: bool

    def logits(self, ink: np.ndarray) -> np.ndarray:
        """Logits, (N, classes), for ink, float (N, 28, 28, 1) in [0, 1]."""
        ...

    def logits_and_maps(self, ink: np.ndarray, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """Logits, (N, classes), and a layer's feature maps, (N, h, w, c)."""
        ...

    def map_gradients(self, ink: np.ndarray, weights: np.ndarray, layer: str) -> np.ndarray:
        """The gradient of the score with respect to a layer's feature maps, (N, h, w, c)."""
        ...

    def gradients(self, ink: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The gradient of the score with respect to the ink, (N, 28, 28)."""
        ...


class ExportedModel:
    """A recogniser as an `ExplainableModel`, without TensorFlow; a forest's probabilities stand in for logits."""

    def __init__(self, recogniser: Recognizer):
        self.name = recogniser.name
        self.all_layers = tuple(recogniser.metadata.get("layers", "").split())
        self.feature_layer = recogniser.metadata.get("feature_layer")
        self.layers = (self.feature_layer,) if self.feature_layer else ()
        self.has_linear_head = "head" in recogniser.outputs
        self.has_gradient = recogniser.network is not None
        self._run = recogniser.run
        self._score = "logits" if "logits" in recogniser.outputs else "probabilities"

    def logits(self, ink: np.ndarray) -> np.ndarray:
        """Logits, float32 (N, classes), for ink, float32 (N, 28, 28, 1) in [0, 1]."""
        return np.concatenate([self._run(block, self._score)[0] for block in blocks_of(ink)])

    def logits_and_maps(self, ink: np.ndarray, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """Logits, (N, classes), and the maps, (N, h, w, c), of the `feature_layer`, the only one that is exported."""
        blocks = [self._run(block, self._score, "feature_map") for block in blocks_of(ink)]
        logits, maps = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return logits, maps

    def map_gradients(self, ink: np.ndarray, weights: np.ndarray, layer: str) -> np.ndarray:
        """The gradient of the score with respect to the feature maps, (N, h, w, c): that of the linear head."""
        return (weights @ self._head.reshape(-1, self._head.shape[-1]).T).reshape(-1, *self._head.shape[:-1])

    def gradients(self, ink: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Raise a ValueError: an export has no gradient."""
        raise ValueError(f"the gradient with respect to the ink needs TensorFlow: explain {self.name} as a KerasModel")

    @cached_property
    def _head(self) -> np.ndarray:
        """The kernel of the linear head, (h, w, c, classes), repeated where all positions share their weights."""
        maps, head = self._run(np.zeros((1, 28, 28, 1), np.float32), "feature_map", "head")
        return np.broadcast_to(head, (*maps.shape[1:], head.shape[-1]))


class KerasModel:
    """A Keras classifier as an `ExplainableModel`, differentiated by TensorFlow; later training doesn't affect it."""

    def __init__(self, model: "keras.Model"):
        """Copy a Sequential or Functional model from (28, 28, 1) to several classes.

        Raises:
            ValueError: the model is of another kind or shape.
        """
        from digits.checkpoints import layer_graph

        self.graph = layer_graph.analyse(model)
        self.name = model.name
        self.all_layers = self.graph.layers
        self.has_gradient = True
        self.has_linear_head = self.graph.head is not None
        self.layers = tuple(self.graph.maps)
        self.feature_layer = self.graph.feature_layer
        self.dtype = self.graph.ink.dtype
        self._functions: dict[object, Callable] = {}
        self._lock = Lock()

    def logits(self, ink: np.ndarray) -> np.ndarray:
        """Logits, (N, classes), for ink, (N, 28, 28, 1) in [0, 1]."""
        return self._in_blocks(self._function("forward", None), ink)[1]

    def logits_and_maps(self, ink: np.ndarray, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """Logits, (N, classes), and the feature maps of a layer, (N, h, w, c)."""
        maps, logits = self._in_blocks(self._function("forward", layer), ink)
        return logits, maps

    def map_gradients(self, ink: np.ndarray, weights: np.ndarray, layer: str) -> np.ndarray:
        """The gradient of the score with respect to the layer's feature maps, (N, h, w, c)."""
        return self._in_blocks(self._function("backward", layer), ink, weights)[0]

    def gradients(self, ink: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The gradient of the score with respect to the ink, (N, 28, 28)."""
        return self._in_blocks(self._function("backward", None), ink, weights)[0][..., 0]

    @cached_property
    def network(self):
        """The copy itself, from ink to logits without nested models; randomised weights are set here."""
        import keras

        return keras.Model(self.graph.ink, self.graph.logits)

    def _in_blocks(self, function: Callable, *arguments: np.ndarray) -> tuple[np.ndarray, ...]:
        import tensorflow as tf

        arrays = [np.asarray(argument, self.dtype) for argument in arguments]
        blocks = [function(*map(tf.constant, block)) for block in zip(*map(blocks_of, arrays), strict=True)]
        return tuple(np.concatenate([part.numpy() for part in parts]) for parts in zip(*blocks, strict=True))

    def _function(self, direction: str, layer: str | None) -> Callable:
        """A compiled function, made only once even if several threads ask for it."""
        with self._lock:
            if (direction, layer) not in self._functions:
                self._functions[direction, layer] = self._compile(direction, layer)
            return self._functions[direction, layer]

    def _compile(self, direction: str, layer: str | None) -> Callable:
        import keras
        import tensorflow as tf

        seen = self.graph.maps[layer] if layer else self.graph.ink
        network = keras.Model(self.graph.ink, [seen, self.graph.logits])
        ink_spec = tf.TensorSpec((None, 28, 28, 1), self.dtype)
        weights_spec = tf.TensorSpec((None, self.graph.logits.shape[1]), self.dtype)

        @tf.function(input_signature=[ink_spec])
        def forward(ink):
            return [tf.cast(part, self.dtype) for part in network(ink, training=False)]

        @tf.function(input_signature=[ink_spec, weights_spec])
        def backward(ink, weights):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(ink)
                maps, logits = network(ink, training=False)
                score = tf.reduce_sum(tf.cast(logits, weights.dtype) * weights)
            # Where the score doesn't depend on the input or the layer, the gradient is zero.
            gradient = tape.gradient(score, maps if layer else ink, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return [tf.cast(gradient, self.dtype)]

        # TensorFlow would warn of repeated tracing if many models were opened; concrete functions don't count.
        return (forward if direction == "forward" else backward).get_concrete_function()
