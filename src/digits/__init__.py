"""Handwritten-digit recognisers: load one, read a picture with it, see why it answers so and how well it does.

    import digits

    model = digits.load("mnist_cnn")                    # a shipped model, or the path of a checkpoint
    verdict = digits.predict(model, "seven.jpg")        # a file, its bytes, or an array of grey levels
    verdict.answer, verdict.confidence, verdict.state   # 7, 0.998, "sure"
    digits.explain(model, "seven.jpg").heat             # where the evidence lies, (1, 28, 28)
    digits.prepare("seven.jpg").image                   # what the model is given, uint8 (28, 28)
    test = digits.load_test()                           # MNIST's 10,000 test digits: images and labels
    digits.evaluate(model, test).scores()               # accuracy, calibration and more
    foggy = digits.CORRUPTIONS["fog"](test.images, 3, np.random.default_rng(0))

`METHODS` lists the ways to explain, `CORRUPTIONS` the corruptions. `load_splits` and `load_labelled` read MNIST's
training, validation and test digits, and anyone's own. Everything else is in the packages below this one.
"""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digits.api import (
        CORRUPTIONS,
        METHODS,
        Digits,
        evaluate,
        explain,
        load,
        load_labelled,
        load_splits,
        load_test,
        predict,
        prepare,
    )

__all__ = [
    "CORRUPTIONS",
    "METHODS",
    "Digits",
    "evaluate",
    "explain",
    "load",
    "load_labelled",
    "load_splits",
    "load_test",
    "predict",
    "prepare",
]

# Since its release 1.29, ONNX Runtime keeps an identifier and a database in the user's cache and reports to its maker,
# unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> object:
    # Imported when first used: the command line's --help needs none of it.
    if name in __all__:
        return getattr(importlib.import_module("digits.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
