"""Scikit-learn models as checkpoints: linear ones converted to Keras, forests as `.skops` with an `.npz` export."""

import warnings
from pathlib import Path

import numpy as np

from digits import files
from digits.checkpoints import forest
from digits.images import to_input

# The only type beyond skops's own list that it may load; any other is refused.
FOREST_TYPES = ("sklearn.tree._tree.Tree",)
TOLERANCE = 1e-7


def linear_as_keras(coefficients: np.ndarray, intercepts: np.ndarray, front: tuple = ()):
    """Convert a linear classifier to Keras exactly: one dense layer behind the layers of `front`.

    Args:
        coefficients: (10, features), as scikit-learn's `coef_`, on the flattened output of `front`.
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

    That set counts the ink in 8×8 equal cells of a digit that fills its box (Alpaydin and Kaynak 1998). MNIST's digits
    fill the central 20×20 pixels, so a cell is 2.5 pixels wide; with doubled pixels it is 5.
    """
    from keras import layers

    return (layers.Cropping2D(4), layers.UpSampling2D(2), layers.AveragePooling2D(5), layers.Rescaling(16))


def save_forest(fitted, path: Path, probe: np.ndarray) -> float:
    """Save a scikit-learn forest at `path` (`NAME.skops`), compressed, and its export beside it (`NAME.npz`).

    Args:
        probe: real digits, uint8 (N, 28, 28), on which the export is compared with the forest.

    Returns:
        The largest difference between the probabilities of the forest and of its export on `probe`.

    Raises:
        ValueError: the export differs by more than 1e-7.
    """
    from zipfile import ZIP_DEFLATED

    import skops.io

    with files.replacing(path) as temporary:
        skops.io.dump(fitted, temporary, compression=ZIP_DEFLATED, compresslevel=9)
    ink = to_input(probe).reshape(len(probe), -1)
    with files.replacing(path.with_suffix(".npz")) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **forest.flatten(fitted))
        answers = forest.load(temporary).predict_proba(ink)
        difference = float(np.abs(answers - fitted.predict_proba(ink)).max())
        if not difference <= TOLERANCE:
            raise ValueError(f"the export of the forest differs by {difference:.1e}, more than {TOLERANCE}")
    return difference


def load_forest(path: Path):
    """Load a forest that `save_forest` wrote; a file with anything but a forest is refused.

    Raises:
        ValueError: the file is damaged or holds something else.
    """
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    try:
        with warnings.catch_warnings():
            # Of odd text in the header of an array.
            warnings.simplefilter("ignore")
            fitted = skops.io.load(path, trusted=list(FOREST_TYPES))
    # skops raises many kinds of exceptions for an untrusted type, a damaged archive or a missing member.
    except Exception as error:
        raise ValueError(f"{path} can't be opened as a forest: {error}") from error
    shape = (getattr(fitted, "n_features_in_", 0), len(getattr(fitted, "classes_", ())))
    if not isinstance(fitted, RandomForestClassifier) or shape != (784, 10):
        raise ValueError(f"{path} can't be opened as a forest: it has no random forest from 784 pixels to ten digits")
    return fitted
