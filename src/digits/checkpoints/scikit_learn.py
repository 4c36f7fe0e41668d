"""Scikit-learn's models as checkpoints: a linear one carried over into Keras, a forest as `.skops` with its export."""

from pathlib import Path

import numpy as np

from digits import files
from digits.checkpoints import forest
from digits.images import to_input

# What skops loads from a forest's file only when told to; any other type that it doesn't know is refused.
FOREST_TYPES = ("sklearn.tree._tree.Tree",)
TOLERANCE = 1e-7


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


def save_forest(fitted, path: Path, probe: np.ndarray) -> float:
    """Save a scikit-learn forest at `path` (`NAME.skops`), compressed, and its export beside it (`NAME.npz`).

    Args:
        probe: real digits, uint8 (N, 28, 28), on which the export is checked.

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
        forest.save(forest.flatten(fitted), temporary)
        answers = forest.load(temporary).predict_proba(ink)
        difference = float(np.abs(answers - fitted.predict_proba(ink)).max())
        if not difference <= TOLERANCE:
            raise ValueError(f"the export of the forest differs by {difference:.1e}, more than {TOLERANCE}")
    return difference


def load_forest(path: Path):
    """Load a forest that `save_forest` wrote; a file that holds anything but a forest is refused.

    Raises:
        ValueError: the file is damaged or holds something else.
    """
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    try:
        fitted = skops.io.load(path, trusted=list(FOREST_TYPES))
    # skops reports a type it doesn't trust, a broken archive and a missing member by exceptions of many kinds.
    except Exception as error:
        raise ValueError(f"{path} can't be opened as a forest: {error}") from error
    if not isinstance(fitted, RandomForestClassifier) or fitted.n_features_in_ != 784 or len(fitted.classes_) != 10:
        raise ValueError(f"{path} can't be opened as a forest: it holds no random forest from 784 pixels to ten digits")
    return fitted
