"""A process of its own that gives a stranger's `.keras` file its twin: python -m digits.conversion SOURCE TARGET.

A separate process keeps TensorFlow's memory and start-up out of the one that recognises.
"""

import sys
from pathlib import Path

from digits import command, data, twin


def convert(source: Path, target: Path) -> None:
    """Open a `.keras` file and write its ONNX twin to `target`.

    Raises:
        ValueError: the file can't be opened, or isn't a digit classifier.
    """
    import keras

    try:
        model = keras.saving.load_model(source, compile=False, safe_mode=True)
        twin.export(model, target, probe=data.load_mnist()["x_train"][:100])
    # A damaged, odd or hostile file can fail anywhere inside Keras, with any exception.
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{source} can't be used as a Keras model: {reason}") from error


if __name__ == "__main__":
    with command.one_line_errors():
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
