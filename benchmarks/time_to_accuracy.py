"""Seconds of training until a validation accuracy: `train_cnn.py` beside the Keras documentation's MNIST convnet.

Both learn from the same 55,000 digits and are scored on the same 5,000, in one run, one after the other. An epoch's
time includes its validation. The peer is https://keras.io/examples/vision/mnist_convnet/ : Adam, batches of 128, no
augmentation; its constant learning rate lets it go on beyond its 15 epochs until it is there.
"""

import tempfile
import time
from pathlib import Path

import keras
from keras import layers

import harness
import train_cnn
from digits import data, preprocess, training
from digits.architectures import cnn

TARGETS = (0.98, 0.985, 0.99)
PEER_EPOCHS = 30


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
    """Times each epoch with its validation, and stops at the last target."""

    def __init__(self):
        super().__init__()
        self.history = {"seconds": [], "val_accuracy": []}

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.history["seconds"].append(time.perf_counter() - self.started)
        self.history["val_accuracy"].append(logs["val_accuracy"])
        self.model.stop_training = logs["val_accuracy"] >= TARGETS[-1]


def seconds_to(history: dict[str, list[float]], target: float) -> float | None:
    """Seconds until the end of the first epoch that reached `target`; None if none did."""
    elapsed = 0.0
    for seconds, accuracy in zip(history["seconds"], history["val_accuracy"], strict=True):
        elapsed += seconds
        if accuracy >= target:
            return round(elapsed, 1)
    return None


def train_peer(splits: data.Splits) -> dict:
    keras.utils.set_random_seed(0)
    model = documentation_convnet()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    stopwatch = Stopwatch()
    model.fit(
        preprocess.to_input(splits.train.images),
        training.one_hot(splits.train.labels),
        batch_size=128,
        epochs=PEER_EPOCHS,
        validation_data=(preprocess.to_input(splits.validation.images), training.one_hot(splits.validation.labels)),
        callbacks=[stopwatch],
        verbose=2,
    )
    return stopwatch.history


def train_ours(splits: data.Splits) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        options = train_cnn.Options(report_dir=Path(folder))
        return training.fit(cnn, training.warmed_cosine, splits, options).history


if __name__ == "__main__":
    splits = data.load_splits()
    ours, peer = train_ours(splits), train_peer(splits)
    rows = {f"{target:.1%}": [seconds_to(ours, target), seconds_to(peer, target)] for target in TARGETS}
    harness.keep(
        "time_to_accuracy",
        {
            "seconds": {
                target: {"train_cnn": mine, "keras_documentation": theirs, "ratio": round(mine / theirs, 3)}
                for target, (mine, theirs) in rows.items()
                if mine and theirs
            },
            "train_cnn": ours,
            "keras_documentation": peer,
        },
    )
