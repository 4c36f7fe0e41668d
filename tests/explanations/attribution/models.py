"""Models to be explained, each opened once a process, and the oracle of their gradients."""

from functools import cache

import keras
import numpy as np
import tensorflow as tf

from digits import paths
from digits.checkpoints import recognizer
from digits.explanations.attribution import METHODS, ExportedModel, KerasModel, explain
from tests.checkpoints.test_layer_graph import make

SHIPPED = ("mnist_cnn", "mnist_advanced")
WITH_LAYER = [name for name, method in METHODS.items() if method.needs_layer]
WITHOUT_TENSORFLOW = ["grad_cam", "grad_cam_plus_plus", "hires_cam", "score_cam", "occlusion", "rise"]
# Few draws and steps: what is tested here doesn't depend on their number.
QUICK = {"rise": {"masks": 60}, "smooth_grad": {"samples": 3}, "integrated_gradients": {"steps": 3}}


@cache
def model_called(name: str) -> keras.Model:
    """A shipped model, or a hand-made one with a fused softmax."""
    return keras.saving.load_model(paths.MODELS / f"{name}.keras") if name in SHIPPED else make(name)


@cache
def opened(name: str) -> KerasModel:
    return KerasModel(model_called(name))


@cache
def export_of(name: str) -> ExportedModel:
    return ExportedModel(recognizer.load(name))


@cache
def logits_model(name: str, layer: str | None = None) -> keras.Model:
    """The oracle: a model of the same weights, from ink to the output of a layer, if one is given, and to logits."""
    model = model_called(name) if name in SHIPPED else make(name, "logits")
    logits = model.get_layer("logits").output if name in SHIPPED else model.outputs[0]
    return keras.Model(model.inputs[0], [model.get_layer(layer).output, logits] if layer else logits)


def quickly(model, images: np.ndarray, method: str, **more):
    return explain(model, images, method, **QUICK.get(method, {}) | more)


def close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    """Equal up to a share of the largest expected value."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(np.abs(expected).max(), 1e-12))


def resized(maps: np.ndarray) -> np.ndarray:
    """The oracle for maps, (N, h, w), at 28×28."""
    return tf.image.resize(maps[..., None], (28, 28), "bilinear", antialias=False).numpy()[..., 0]


def seen(name: str, layer: str | None, ink: np.ndarray, target: int) -> tuple[np.ndarray, np.ndarray]:
    """The oracle for a layer's maps, or the ink, and the gradient of a logit with respect to them."""
    with tf.GradientTape() as tape:
        given = tf.constant(ink)
        tape.watch(given)
        maps, logits = logits_model(name, layer)(given) if layer else (given, logits_model(name)(given))
        score = tf.reduce_sum(logits[:, target])
    return maps.numpy(), tape.gradient(score, maps).numpy()
