"""A process of its own that gives a stranger's `.keras` file its twin: python -m digits.conversion SOURCE TARGET.

A separate process keeps TensorFlow's memory and start-up out of the one that recognises. With MEMORY and WEIGHTS behind
TARGET it trusts the file less, as `admission` asks for: it takes no more bytes of memory, and looks at the weights, of
which the model has so many, before Keras does.
"""

import sys
from contextlib import suppress
from pathlib import Path

from digits import command, data, twin
from digits.admission import archive


def convert(source: Path, target: Path) -> None:
    """Open a `.keras` file and write its ONNX twin to `target`.

    Raises:
        ValueError: the file can't be opened, or isn't a digit classifier.
    """
    import keras

    try:
        model = keras.saving.load_model(source, compile=False, safe_mode=True)
        twin.export(model, target, probe=data.load_mnist()["x_train"][:100])
    # A damaged, odd or hostile file can fail anywhere inside Keras, with any exception, some without a word.
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        raise ValueError(f"{source} can't be used as a Keras model: {reason.splitlines()[0]}") from error


def confine(memory: int) -> None:
    """Let this process take no more than `memory` bytes and write no large file.

    Windows has no such limits, and macOS heeds only some of them.
    """
    try:
        import resource
    except ImportError:
        return
    # Of data, not of addresses, most of which TensorFlow reserves and never uses, more of them with more cores.
    limits = {resource.RLIMIT_DATA: memory, resource.RLIMIT_FSIZE: archive.FILE_BYTES, resource.RLIMIT_CORE: 0}
    for kind, limit in limits.items():
        # The host may have a lower one already, which stands.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    source, target, *distrust = sys.argv[1:]
    with command.one_line_errors():
        if distrust:
            memory, weights = map(int, distrust)
            confine(memory)
            archive.check_weights(Path(source), weights)
        convert(Path(source), Path(target))
