"""Export a `.keras` file to ONNX in a process of its own: python -m digits.checkpoints.convert SOURCE TARGET.

A separate process keeps TensorFlow's memory out of the one that predicts.
"""

import sys
from pathlib import Path

from digits import data, errors
from digits.checkpoints import onnx_export


def convert(source: Path, target: Path) -> None:
    """Export the `.keras` file `source` to the ONNX file `target`.

    Raises:
        ValueError: the file can't be opened, or isn't a digit classifier.
    """
    import keras

    try:
        model = keras.saving.load_model(source, compile=False, safe_mode=True)
        onnx_export.export(model, target, probe=data.load_mnist()["x_train"][:100])
    # A damaged, odd or hostile file can fail anywhere inside Keras, with any exception, some without a word.
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        raise ValueError(f"{source} can't be used as a Keras model: {reason.splitlines()[0]}") from error


if __name__ == "__main__":
    with errors.one_line_errors():
        convert(*map(Path, sys.argv[1:]))
