"""The ONNX export of a Keras model: the same function, and what explanations need, without TensorFlow.

An export is what recognises: ONNX Runtime starts in a fraction of a second where TensorFlow takes many.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from digits import files
from digits.images import to_input

TOLERANCE = 1e-5


def save(model, path: Path, probe: np.ndarray) -> float:
    """Save a Keras model at `path` (`NAME.keras`) and its export beside it (`NAME.onnx`).

    Args:
        probe: real digits, uint8 (N, 28, 28), on which the export is checked.

    Returns:
        The largest difference between the probabilities of the model and of its export on `probe`.

    Raises:
        ValueError: the model isn't a digit classifier, or its export differs by more than 1e-5.
    """
    with files.replacing(path) as temporary:
        model.save(temporary)
    return export(model, path.with_suffix(".onnx"), probe)


def export(model, path: Path, probe: np.ndarray) -> float:
    """Write a Keras model as ONNX.

    Its outputs are `probabilities`, `logits` and, where the model has them, `features` (what the last dense layer
    sees), `feature_map` (the last output with a spatial extent behind a convolution, channels last) and `head`: a
    constant, the `anatomy.LinearHead.kernel` behind a linear head. The metadata name all `layers` and the
    `feature_layer`.

    Returns:
        The largest difference between the probabilities of the model and of its export on `probe`, uint8 (N, 28, 28).

    Raises:
        ValueError: the model isn't a digit classifier, or its export differs by more than 1e-5.
    """
    import keras
    import onnxruntime
    from scipy.special import softmax

    from digits.checkpoints import layer_graph

    parts = layer_graph.dissect(model)
    if parts.logits.shape != (None, 10):
        raise ValueError(f"expected a model of ten classes, got {parts.logits.shape[1]}")
    outputs = {"probabilities": parts.probabilities, "logits": parts.logits}
    if parts.features is not None:
        outputs["features"] = parts.features
    if parts.feature_layer:
        outputs["feature_map"] = parts.maps[parts.feature_layer]
    ink = to_input(probe)
    # A model of its own, because inputs and outputs may stand in a list or a dictionary.
    bare = keras.Model(model.inputs[0], model.outputs[0])
    expected = keras.ops.convert_to_numpy(bare(ink, training=False))
    if not parts.answers_probabilities:
        expected = softmax(expected, axis=1)

    # The names in the dictionary become those of the graph's outputs.
    network = keras.Model(parts.ink, outputs)
    network(ink, training=False)
    with files.replacing(path) as temporary:
        with _quiet_export():
            network.export(temporary, format="onnx", verbose=False)
        _add_constants(temporary, parts)
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        (probabilities,) = session.run(["probabilities"], {session.get_inputs()[0].name: ink})
        difference = float(np.abs(probabilities - expected).max())
        if not difference <= TOLERANCE:
            raise ValueError(f"the ONNX export of {model.name} differs by {difference:.1e}, more than {TOLERANCE}")
    return difference


def _add_constants(path: Path, parts) -> None:
    """Add to an ONNX file what doesn't depend on an image: the linear head, and the layers' names."""
    import onnx

    proto = onnx.load(path)
    names = {"feature_layer": parts.feature_layer} if parts.feature_layer else {}
    onnx.helper.set_model_props(proto, {"layers": " ".join(parts.layers)} | names)
    if parts.head:
        kernel = parts.head.kernel.astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(kernel, "head_kernel"))
        proto.graph.node.append(onnx.helper.make_node("Identity", ["head_kernel"], ["head"]))
        proto.graph.output.append(onnx.helper.make_tensor_value_info("head", onnx.TensorProto.FLOAT, kernel.shape))
    onnx.save(proto, path)


@contextmanager
def _quiet_export() -> Iterator[None]:
    """Keep tf2onnx's log and its complaints about newer NumPy off the screen; errors are raised all the same."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
