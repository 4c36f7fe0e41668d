"""Reading one image from a cold shell, and all test digits warm: the workbench beside Keras's own way, in one run."""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import harness
from digits import data, paths, preprocess, recognizer

COLD_ROUNDS = 5
WARM_ROUNDS = 5
MODEL = "mnist_cnn"
KERAS_WAY = """
import sys, keras, numpy as np
from PIL import Image
ink = np.asarray(Image.open(sys.argv[2]), np.float32)[None, :, :, None] / 255
print(keras.models.load_model(sys.argv[1]).predict(ink, verbose=0).argmax())
"""


def cold(image: Path) -> dict:
    commands = {
        "predict.py": [sys.executable, str(paths.ROOT / "src" / "predict.py"), str(image), "--model", MODEL],
        "keras": [sys.executable, "-c", KERAS_WAY, str(paths.MODELS / f"{MODEL}.keras"), str(image)],
        "predict.py --help": [sys.executable, str(paths.ROOT / "src" / "predict.py"), "--help"],
    }
    measured = {name: [] for name in commands}
    for turn in range(COLD_ROUNDS + 1):
        for name, command in commands.items():
            figures = harness.run_process(command)
            if turn:  # the first turn fills the disk cache
                measured[name].append(figures)
    medians = {
        name: {
            "seconds": round(statistics.median(seconds for seconds, _ in figures), 3),
            "megabytes": round(statistics.median(megabytes for _, megabytes in figures)),
        }
        for name, figures in measured.items()
    }
    ratios = [theirs[0] / ours[0] for ours, theirs in zip(measured["predict.py"], measured["keras"], strict=True)]
    return medians | {"times_faster": round(statistics.median(ratios), 1)}


def warm(images: np.ndarray) -> dict:
    import keras

    model = keras.saving.load_model(paths.MODELS / f"{MODEL}.keras")
    recognise = recognizer.load(MODEL)
    ways = {
        "recognizer": lambda: recognise.predict_proba(images),
        "model.predict": lambda: model.predict(preprocess.to_input(images), verbose=0),
    }
    seconds = {name: [] for name in ways}
    for turn in range(WARM_ROUNDS + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    rates = {name: round(len(images) / statistics.median(runs)) for name, runs in seconds.items()}
    ratios = [theirs / ours for ours, theirs in zip(seconds["recognizer"], seconds["model.predict"], strict=True)]
    return {"images_a_second": rates, "times_faster": round(statistics.median(ratios), 2)}


if __name__ == "__main__":
    digits = data.load_test()
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "digit.png"
        Image.fromarray(digits.images[0]).save(image)
        results = {"one_image_cold": cold(image)}
    harness.keep("recognition", results | {"test_digits_warm": warm(digits.images)})
