"""Harmless files are loaded and answer as before; names are cleaned."""

import io
from pathlib import Path

import h5py
import numpy as np
import pytest

from digits import paths, untrusted
from digits.checkpoints import recognizer
from digits.untrusted import archive, config_copy, size_limits
from tests.untrusted.keras_files import CNN


@pytest.mark.slow
def test_shipped_model_answers_as_it_does_when_loaded(some_digits, temporary):
    opened, loaded = untrusted.load(CNN, "../../mnist cnn.keras"), recognizer.load("mnist_cnn")
    # Its export is made anew, on a processor that may fold constants otherwise than the shipped one's.
    np.testing.assert_allclose(
        opened.predict_proba(some_digits.images), loaded.predict_proba(some_digits.images), atol=1e-6
    )
    assert (opened.name, opened.path, opened.card) == ("mnist_cnn", Path("mnist_cnn.onnx"), {})
    assert opened.outputs == loaded.outputs
    assert opened.metadata == loaded.metadata
    assert list(temporary.iterdir()) == []
    assert not opened.path.exists()


@pytest.mark.slow
def test_tutorial_model_answers_as_in_keras(tmp_path, temporary, rng):
    """With its augmentation, its optimiser, a batch for its input, and layers as activations."""
    import keras
    from keras import layers

    model = keras.Sequential([
        keras.Sequential([layers.RandomRotation(0.1, fill_mode="constant"), layers.RandomZoom(0.1)]),
        layers.Rescaling(1.0),
        layers.Conv2D(8, 3, activation="relu", kernel_regularizer="l2", kernel_constraint="max_norm"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.SeparableConv2D(12, 3, activation=layers.LeakyReLU()),
        layers.PReLU(shared_axes=[1, 2]),
        layers.SpatialDropout2D(0.1),
        layers.Flatten(),
        layers.Dropout(0.5, seed=1),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    # Called on a batch before it has an input, and trained a little.
    ink = rng.random((32, 28, 28, 1), np.float32)
    model.fit(ink, np.arange(32) % 10, verbose=0)
    model.save(tmp_path / "tutorial.keras")
    opened = untrusted.load((tmp_path / "tutorial.keras").read_bytes(), "tutorial.keras")
    np.testing.assert_allclose(opened.run(ink, "probabilities")[0], model.predict(ink, verbose=0), atol=1e-5)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("path", sorted(paths.MODELS.glob("*.keras")), ids=lambda path: path.stem)
def test_all_shipped_models_pass_what_is_checked_before_the_conversion(path, tmp_path):
    members = archive.unpack(path.read_bytes())
    weights = size_limits.measure(config_copy.copy(members["config.json"]))
    with h5py.File(io.BytesIO(members["model.weights.h5"])) as file:
        sizes = []
        file["layers"].visititems(lambda _, item: sizes.append(getattr(item, "size", 0)))
    assert weights == sum(sizes)
    archive.pack(members, tmp_path / "model.keras")
    archive.check_weights(tmp_path / "model.keras", weights)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my model.keras", "my_model"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\me\net.v2.keras", "net.v2"),
        ("<script>alert(1)</script>.keras", "script"),
        ("числа-5.keras", "числа-5"),
        ("\u202egnp.keras", "gnp"),
        ("..keras", "model"),
        ("../.keras", "model"),
        ("", "model"),
        ("a" * 300, "a" * 40),
    ],
)
def test_name_is_cleaned(name, expected):
    assert untrusted.clean(name) == expected
