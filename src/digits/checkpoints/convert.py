"""Open a stranger's model in a process of its own: python -m digits.checkpoints.convert FILE LIMITS.

In the current folder it writes what the model can be used by: for a Keras model a copy, `model.keras`, and its export,
`model.onnx`; for a forest `model.npz`; last `model.json`, what `convert` returns.
"""

import json
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from digits import data, errors, files, untrusted
from digits.checkpoints import forest, input_format, onnx_session
from digits.checkpoints.input_format import InputFormat
from digits.untrusted import confinement, onnx_rules

MODEL = Path("model")
# Of Keras's own messages, which may quote weights.
REASON_LENGTH = 250


def convert(source: Path) -> dict:
    """Check and try a model file, and convert it if it isn't used as it is.

    Returns:
        `input`, the fields of the `InputFormat` that it has to be given; `answers`, what it returns, one of
        `input_format.ANSWERS`; and `note`, a sentence for the user, perhaps empty.

    Raises:
        ValueError: the file isn't safe, damaged or no digit classifier.
    """
    if source.suffix == ".keras":
        return _convert_keras(source)
    if source.suffix == ".onnx":
        onnx_rules.check(source.read_bytes())
        graph = onnx_session.ForeignGraph(source.read_bytes())
        return _try(graph.run, graph.shape)
    trees = _forest(source)
    return _try(trees.predict_proba, (forest.PIXELS,))


def _try(run, shape: tuple[int, ...]) -> dict:
    given, note = input_format.choose(run, shape)
    ink, _ = input_format.known_digits()
    kind = input_format.kind_of_answers(run(given.apply(ink)))
    return {"input": asdict(given), "answers": kind, "note": note}


def _forest(source: Path) -> forest.Forest:
    if source.suffix == ".npz":
        return forest.load(source)
    from digits.checkpoints import scikit_learn

    arrays = forest.flatten(scikit_learn.load_forest(source))
    with files.replacing(MODEL.with_suffix(".npz")) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)
    return forest.load(MODEL.with_suffix(".npz"))


def _convert_keras(source: Path) -> dict:
    """Make a Keras model of our own kind: from ink to layers called `logits` and `probabilities`."""
    checked = untrusted.check_keras(source.read_bytes())
    import keras

    from digits.checkpoints import layer_graph, onnx_export

    try:
        given: Any = keras.saving.deserialize_keras_object(checked.config, safe_mode=True)
        # Keras tells by the name whether the weights are in the layout of an `.h5` file.
        weights = Path("model.h5" if checked.is_hdf5 else "model.weights.h5")
        weights.write_bytes(checked.weights)
        given.load_weights(weights)
        found = _try(lambda pixels: np.asarray(given(pixels, training=False)), checked.shape)
        adapted = with_input(given, InputFormat(**found["input"] | {"shape": checked.shape}))
        model = layer_graph.standardised(adapted)
        model.save(MODEL.with_suffix(".keras"))
        onnx_export.export(
            model, MODEL.with_suffix(".onnx"), probe=data.load_mnist(names=("x_train",))["x_train"][:100]
        )
    # A damaged, odd or hostile file can fail anywhere inside Keras, with any exception, some without a word.
    except Exception as error:
        reason = textwrap.shorten(str(error), REASON_LENGTH, placeholder=" …") or type(error).__name__
        raise ValueError(f"Keras can't use it: {reason}") from error
    # The copy takes ink and returns probabilities.
    return found | {"input": asdict(InputFormat()), "answers": "probabilities"}


def with_input(model, given: InputFormat):
    """A model that takes ink, before a model that takes it in another format."""
    import keras
    from keras import layers

    if given == InputFormat():
        return model
    ink = pixels = keras.Input((28, 28, 1), name="ink")
    paper, full = given.paper_and_ink
    if given.side != input_format.SIDE:
        pixels = layers.ZeroPadding2D((given.side - input_format.SIDE) // 2)(pixels)
    if (paper, full) != (0, 1):
        pixels = layers.Rescaling(full - paper, paper)(pixels)
    if given.transposed:
        pixels = layers.Permute((2, 1, 3))(pixels)
    if given.channel_axis:
        pixels = layers.Concatenate()([pixels] * 3)
        pixels = pixels if given.channel_axis == 3 else layers.Permute((3, 1, 2))(pixels)
    elif given.shape != (given.side, given.side, 1):
        pixels = layers.Reshape(given.shape)(pixels)
    return keras.Model(ink, model(pixels), name=model.name)


if __name__ == "__main__":
    with errors.one_line_errors():
        file, *limits = sys.argv[1:]
        confinement.confine(*map(int, limits))
        # Keras imports it if there is one, and it runs a program that lists the fonts.
        sys.modules["matplotlib"] = None  # pyright: ignore[reportArgumentType]
        files.write_text(MODEL.with_suffix(".json"), json.dumps(convert(Path(file))))
