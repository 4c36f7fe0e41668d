"""Reading one image from a cold shell, and test digits warm: the workbench beside Keras's own way and PyTorch."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import numpy as np
from PIL import Image

from digits import data, paths
from digits.checkpoints import recognizer
from digits.images import to_input

COLD_ROUNDS = 5
WARM_ROUNDS = 5
ONE_IMAGE_ROUNDS = 200
PEER = paths.ROOT / ".venv-pytorch" / "bin" / "python"
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
    """All test digits, and one, once everything is loaded; PyTorch has its turn after the others."""
    import keras

    model = keras.saving.load_model(paths.MODELS / f"{MODEL}.keras")
    recognise = recognizer.load(MODEL)
    ways = {
        "recognizer": recognise.predict_proba,
        "model.predict": lambda images: model.predict(to_input(images), verbose=0),
    }
    every, one = ({name: [] for name in ways} for _ in range(2))
    for times, batch, rounds in ((every, images, WARM_ROUNDS), (one, images[:1], ONE_IMAGE_ROUNDS)):
        for turn in range(rounds + 1):
            for name, way in ways.items():
                started = time.perf_counter()
                way(batch)
                if turn:
                    times[name].append(time.perf_counter() - started)
    script = Path(__file__).with_name("recognition_peer.py")
    printed = subprocess.run([PEER, script, str(WARM_ROUNDS)], capture_output=True, text=True, check=True).stdout
    every["pytorch"], one["pytorch"] = (json.loads(printed)[key] for key in ("all", "one"))
    rates = {name: len(images) / statistics.median(seconds) for name, seconds in every.items()}
    return {
        "images_a_second": {name: round(rate) for name, rate in rates.items()},
        "times_faster": {name: round(rates["recognizer"] / rates[name], 2) for name in rates if name != "recognizer"},
        "one_image_milliseconds": {name: round(1000 * statistics.median(one[name]), 2) for name in one},
    }


if __name__ == "__main__":
    if not PEER.is_file():
        sys.exit("PyTorch is missing: run `make benchmark NAME=recognition`")
    digits = data.load_test()
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "digit.png"
        Image.fromarray(digits.images[0]).save(image)
        results = {"one_image_cold": cold(image)}
    harness.keep("recognition", results | {"test_digits_warm": warm(digits.images)})
