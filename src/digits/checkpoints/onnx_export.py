"""The ONNX export of a Keras model: the same function, with what explanations need, but without TensorFlow.

Predictions come from the export: ONNX Runtime starts in a fraction of a second, TensorFlow in several seconds.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from digits import files
from digits.images import to_input

if TYPE_CHECKING:
    from digits.checkpoints.layer_graph import LayerGraph

TOLERANCE = 1e-5
# 5,000 training digits' features are kept in memory to compare images with: 200 MB.
WIDEST_FEATURES = 10_000


def save(model, path: Path, probe: np.ndarray) -> float:
    """Save a Keras model at `path` (`NAME.keras`) and its export beside it (`NAME.onnx`); else as `export`."""
    with files.replacing(path) as temporary:
        model.save(temporary)
    return export(model, path.with_suffix(".onnx"), probe)


def export(model, path: Path, probe: np.ndarray) -> float:
    """Write a Keras model as ONNX.

    Its outputs are `probabilities`, `logits` and, where the model has them, `features` (the input of the last dense
    layer), `feature_map` (the last spatial output behind a convolution, channels last) and `head` (a constant, the
    `layer_graph.LinearHead.kernel`). Its metadata gives the names of all `layers` and of the `feature_layer`.

    Args:
        probe: real digits, uint8 (N, 28, 28), on which the export is compared with the model.

    Returns:
        The largest difference between the probabilities of the model and of its export on `probe`.

    Raises:
        ValueError: the model isn't a digit classifier, or its export differs by more than 1e-5.
    """
    import keras
    import onnxruntime
    from scipy.special import expit, softmax

    from digits.checkpoints import layer_graph

    graph = layer_graph.analyse(model)
    if graph.logits.shape != (None, 10):
        raise ValueError(f"expected a model of ten classes, got {graph.logits.shape[1]}")
    outputs = {"probabilities": graph.probabilities, "logits": graph.logits}
    if graph.features is not None and graph.features.shape[1] <= WIDEST_FEATURES:
        outputs["features"] = graph.features
    if graph.feature_layer:
        outputs["feature_map"] = graph.maps[graph.feature_layer]
    ink = to_input(probe)
    # A new model, because this one may take and return lists or dictionaries.
    bare = keras.Model(model.inputs[0], model.outputs[0])
    expected = keras.ops.convert_to_numpy(bare(ink, training=False))

    # The names in the dictionary become those of the graph's outputs.
    network = keras.Model(graph.ink, outputs)
    network(ink, training=False)
    with files.replacing(path) as temporary:
        with _quiet_export():
            network.export(temporary, format="onnx", verbose=False)
        _add_constants(temporary, graph)
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        probabilities, logits = cast(
            "list[np.ndarray]", session.run(["probabilities", "logits"], {session.get_inputs()[0].name: ink})
        )
        if graph.answers == "sigmoid":
            probabilities = expit(logits)
        elif graph.answers != "softmax":
            expected = softmax(expected, axis=1)
        difference = float(np.abs(probabilities - expected).max())
        if not difference <= TOLERANCE:
            raise ValueError(f"the ONNX export of {model.name} differs by {difference:.1e}, more than {TOLERANCE}")
    return difference


def _add_constants(path: Path, graph: "LayerGraph") -> None:
    """Add the linear head and the names of the layers to an ONNX file."""
    import onnx

    proto = onnx.load(path)
    names = {"feature_layer": graph.feature_layer} if graph.feature_layer else {}
    onnx.helper.set_model_props(proto, {"layers": " ".join(graph.layers)} | names)
    if graph.head:
        kernel = graph.head.kernel.astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(kernel, "head_kernel"))
        proto.graph.node.append(onnx.helper.make_node("Identity", ["head_kernel"], ["head"]))
        proto.graph.output.append(onnx.helper.make_tensor_value_info("head", onnx.TensorProto.FLOAT, kernel.shape))
    _replace_erfc(proto.graph)
    onnx.save(proto, path)


def _replace_erfc(graph) -> None:
    """Write erfc(x), which GELU is made of and ONNX doesn't have, as 1 - erf(x)."""
    import onnx

    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        if node.op_type == "Erfc":
            (output,) = node.output
            graph.node.append(onnx.helper.make_node("Erf", node.input, [f"{output}_erf"]))
            graph.node.append(onnx.helper.make_node("Sub", ["one_for_erfc", f"{output}_erf"], [output]))
        else:
            graph.node.append(node)
    if len(graph.node) > len(nodes):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(1, np.float32), "one_for_erfc"))


@contextmanager
def _quiet_export() -> Iterator[None]:
    """Silence tf2onnx's log and its warnings about newer NumPy; errors are still raised."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
