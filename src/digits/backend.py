"""Import Keras and its backend TensorFlow without their start-up messages."""

import importlib
import os
from pathlib import Path


def load_keras() -> None:
    """Import Keras and its backend, discarding what TensorFlow's libraries print while they load."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        importlib.import_module("keras")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
