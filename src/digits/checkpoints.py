"""Making checkpoints: `.keras` with its ONNX twin, a linear scikit-learn model as Keras, a forest as `.skops`.

A twin computes the same function as its `.keras` file and is what recognises: ONNX Runtime starts without TensorFlow.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from digits import paths, preprocess

TWIN_TOLERANCE = 1e-5
# What skops loads from a forest's file only when told to; any other type that it doesn't know is refused.
FOREST_TYPES = ("sklearn.tree._tree.Tree",)


def save_keras(model, path: Path, probe: np.ndarray) -> float:
    """Save a Keras model at `path` (`NAME.keras`) and its twin beside it (`NAME.onnx`).

    Args:
        probe: real digits, uint8 (N, 28, 28), on which the twin is checked.

    Returns:
        The largest difference between the probabilities of the model and of its twin on `probe`.

    Raises:
        ValueError: the model isn't a digit classifier, or its twin differs by more than 1e-5.
    """
    with paths.replacing(path) as temporary:
        model.save(temporary)
    return export_twin(model, path.with_suffix(".onnx"), probe)


def export_twin(model, path: Path, probe: np.ndarray) -> float:
    """Write a Keras model as ONNX.

    Its outputs are called `probabilities` and, where the model has them, `logits` and `feature_map`: the last output
    with a spatial extent, channels last.

    Returns:
        The largest difference between the probabilities of the model and of its twin on `probe`, uint8 (N, 28, 28).

    Raises:
        ValueError: the model isn't a digit classifier, or its twin differs by more than 1e-5.
    """
    import keras
    import onnxruntime

    if model.input_shape != (None, 28, 28, 1) or model.output_shape != (None, 10):
        raise ValueError(
            f"expected a model from (28, 28, 1) to 10 classes, got {model.input_shape[1:]} to {model.output_shape[1:]}"
        )
    # A loaded Sequential has no `output`, only `outputs`.
    outputs = {"probabilities": model.outputs[0]}
    outputs |= {layer.name: layer.output for layer in model.layers if layer.name == "logits"}
    if spatial := [layer.output for layer in model.layers[1:] if len(layer.output.shape) == 4]:
        outputs["feature_map"] = spatial[-1]
    ink = preprocess.to_input(probe)
    # The names in the dictionary become those of the graph's outputs.
    multiple = keras.Model(model.inputs[0], outputs)
    expected = keras.ops.convert_to_numpy(multiple(ink, training=False)["probabilities"])

    with paths.replacing(path) as temporary:
        with _quiet_export():
            multiple.export(temporary, format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        (probabilities,) = session.run(["probabilities"], {session.get_inputs()[0].name: ink})
        difference = float(np.abs(probabilities - expected).max())
        if not difference <= TWIN_TOLERANCE:
            raise ValueError(f"the ONNX twin of {model.name} differs by {difference:.1e}, more than {TWIN_TOLERANCE}")
    return difference


def linear_as_keras(coefficients: np.ndarray, intercepts: np.ndarray, front: tuple = ()):
    """Carry a linear classifier over into Keras exactly: one dense layer behind the layers of `front`.

    Args:
        coefficients: (10, features), as scikit-learn's `coef_`, for the flattened output of `front`.
        intercepts: (10,), as `intercept_`.

    Returns:
        A Keras model whose logits are scikit-learn's `decision_function`.
    """
    from keras import Model, layers

    hidden = ink = layers.Input((28, 28, 1), name="ink")
    for layer in front:
        hidden = layer(hidden)
    logits = layers.Dense(10, name="logits")(layers.Flatten()(hidden))
    model = Model(ink, layers.Softmax(name="probabilities")(logits), name="linear")
    model.get_layer("logits").set_weights([coefficients.T, intercepts])
    return model


def eight_by_eight() -> tuple:
    """Keras layers that turn 28×28 ink into the 8×8 counts from 0 to 16 of scikit-learn's `load_digits`.

    That set counts the ink in 8×8 equal cells of a digit that fills its box (Alpaydin and Kaynak 1998); MNIST's digits
    fill the middle 20×20, so each cell is 2.5 pixels wide: doubling the pixels makes it 5.
    """
    from keras import layers

    return (layers.Cropping2D(4), layers.UpSampling2D(2), layers.AveragePooling2D(5), layers.Rescaling(16))


def save_forest(forest, path: Path) -> None:
    """Save a scikit-learn forest at `path` (`NAME.skops`), compressed."""
    from zipfile import ZIP_DEFLATED

    import skops.io

    with paths.replacing(path) as temporary:
        skops.io.dump(forest, temporary, compression=ZIP_DEFLATED, compresslevel=9)


def load_forest(path: Path):
    """Load a forest that `save_forest` wrote; a file that holds anything but a forest is refused.

    Raises:
        ValueError: the file is damaged or holds something else.
    """
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    try:
        forest = skops.io.load(path, trusted=list(FOREST_TYPES))
    # skops reports a type it doesn't trust, a broken archive and a missing member by exceptions of many kinds.
    except Exception as error:
        raise ValueError(f"{path} can't be opened as a forest: {error}") from error
    if not isinstance(forest, RandomForestClassifier) or forest.n_features_in_ != 784 or len(forest.classes_) != 10:
        raise ValueError(f"{path} can't be opened as a forest: it holds no random forest from 784 pixels to ten digits")
    return forest


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
