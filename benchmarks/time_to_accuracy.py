"""Seconds of training until an accuracy: `train_cnn.py` beside two networks that people start from, in one run.

The peers are the Keras documentation's convnet (https://keras.io/examples/vision/mnist_convnet/ : Adam, batches of 128,
15 epochs) and the PyTorch examples' network (`time_to_accuracy_peer.py`), each by its own recipe. All learn from the
same 55,000 digits and are scored on the same 5,000 after each epoch, one after the other; an epoch's time includes its
validation. How fast processors multiply matrices says how much of the time is arithmetic.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import keras
import numpy as np
from keras import layers

import train_cnn
from digits import data, paths
from digits.images import to_input
from digits.training import loop
from digits.training.architectures import cnn
from digits.training.precision import precision as in_precision

TARGETS = (0.99, 0.994, 0.995)
KERAS_EPOCHS = 15
PEER = paths.ROOT / ".venv-pytorch" / "bin" / "python"
MATRIX = 2048
ROUNDS = 10


def documentation_convnet() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


class Stopwatch(keras.callbacks.Callback):
    """Times each epoch with its validation."""

    def __init__(self):
        super().__init__()
        self.history = {"seconds": [], "val_accuracy": []}

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.history["seconds"].append(time.perf_counter() - self.started)
        self.history["val_accuracy"].append(logs["val_accuracy"])


def train_keras(splits: data.Splits) -> dict[str, list[float]]:
    keras.utils.set_random_seed(0)
    model = documentation_convnet()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    stopwatch = Stopwatch()
    model.fit(
        # From arrays, as the documentation does it, Keras makes an iterator anew each epoch, and TensorFlow sometimes
        # takes seconds to let the old one go. That isn't the network's fault, so it gets ours.
        loop.batches(splits.train, 128, 0, lambda _: None),
        steps_per_epoch=len(splits.train) // 128,
        epochs=KERAS_EPOCHS,
        validation_data=(to_input(splits.validation.images), loop.one_hot(splits.validation.labels)),
        validation_batch_size=500,
        callbacks=[stopwatch],
        verbose=2,
    )
    return stopwatch.history


def train_pytorch(splits: data.Splits) -> dict[str, list[float]]:
    if not PEER.is_file():
        sys.exit("PyTorch is missing: run `make benchmark NAME=time_to_accuracy`")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "digits.npz", Path(folder) / "history.json"
        np.savez(
            source,
            train_ink=to_input(splits.train.images),
            train_labels=splits.train.labels,
            validation_ink=to_input(splits.validation.images),
            validation_labels=splits.validation.labels,
        )
        script = Path(__file__).with_name("time_to_accuracy_peer.py")
        subprocess.run([PEER, script, source, target], check=True)
        return json.loads(target.read_text(encoding="utf-8"))


def train_ours(splits: data.Splits) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        return loop.fit(cnn, splits, train_cnn.RECIPE, folder=Path(folder)).history


def seconds_to(history: dict[str, list[float]], target: float) -> float | None:
    """Seconds until the end of the first epoch that reached `target`; None if none did."""
    elapsed = 0.0
    for seconds, accuracy in zip(history["seconds"], history["val_accuracy"], strict=True):
        elapsed += seconds
        if accuracy >= target:
            return round(elapsed, 1)
    return None


def against(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> dict:
    """Our seconds to the accuracy that a peer's whole recipe ends with, beside the peer's to its first time there."""
    final = theirs["val_accuracy"][-1]
    mine, needed = seconds_to(ours, final), seconds_to(theirs, final)
    return {
        "final_accuracy": final,
        "train_cnn": mine,
        "peer": needed,
        "ratio": round(mine / needed, 3) if mine else None,
    }


def arithmetic(history: dict[str, list[float]]) -> dict:
    """How fast this processor multiplies matrices, what a training image asks of it, and what share is reached."""
    recipe = train_cnn.RECIPE
    precision = in_precision(recipe)
    matrix = keras.ops.cast(np.random.default_rng(0).standard_normal((MATRIX, MATRIX)), precision)
    rates = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        float(keras.ops.cast(keras.ops.matmul(matrix, matrix)[0, 0], "float32"))
        rates.append(2 * MATRIX**3 / (time.perf_counter() - started) / 1e9)
    model = cnn()
    operations = sum(
        2 * layer.kernel.shape.num_elements() * np.prod(layer.output.shape[1:-1], initial=1)
        for layer in model.layers
        if hasattr(layer, "kernel")
    )
    images = 55_000 / float(np.median(history["seconds"]))
    # Every digit goes forwards once. The hard examples do so again, and the gradients of the input and of the weights
    # cost as much as the output, each.
    fraction = recipe.hard_example_fraction
    an_image = (1 + 3 * fraction if fraction < 1 else 3) * operations
    reached = an_image * images / 1e9
    return {
        "precision": precision,
        "matrix_product_gigaflops": round(max(rates)),
        "megaflops_a_training_image": round(an_image / 1e6, 1),
        "training_images_a_second": round(images),
        "reached_gigaflops": round(reached),
        "share_of_the_limit": round(reached / max(rates), 3),
    }


if __name__ == "__main__":
    splits = data.load_splits()
    histories = {"train_cnn": train_ours(splits)}
    histories |= {"keras_documentation": train_keras(splits), "pytorch_examples": train_pytorch(splits)}
    ours, *peers = histories
    harness.keep(
        "time_to_accuracy",
        {
            "seconds": {
                f"{target:.1%}": {name: seconds_to(history, target) for name, history in histories.items()}
                for target in TARGETS
            },
            "peers_final_accuracy": {peer: against(histories[ours], histories[peer]) for peer in peers},
            "arithmetic": arithmetic(histories[ours]),
        }
        | histories,
    )
