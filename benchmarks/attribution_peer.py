"""Grad-CAM by tf-keras-vis: `attribution.py` runs this in an environment of its own.

`attribution_peer.py MODEL.keras LAYER IN.npz OUT.npz` takes ink and targets, looks for the batch that each score is
quickest with, writes the maps, then answers each line on standard input with the seconds of a round.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.utils.model_modifiers import ExtractIntermediateLayer, ReplaceToLinear
from tf_keras_vis.utils.scores import CategoricalScore

BATCHES = (25, 50, 100, 250, 500, 1000)
TRIES = 3


def gathered(targets: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """A score of one operation, where the documentation's `CategoricalScore` has one for each image."""
    return lambda output: tf.gather(output, targets, batch_dims=1)


SCORES = {
    "tf_keras_vis": lambda targets: CategoricalScore(targets.tolist()),
    "tf_keras_vis_with_tf.gather": gathered,
}


def explain(ink: np.ndarray, targets: np.ndarray, score: str, batch: int, **options) -> np.ndarray:
    starts = range(0, len(ink), batch)
    blocks = [(SCORES[score](targets[start : start + batch]), ink[start : start + batch]) for start in starts]
    options |= {"penultimate_layer": layer, "seek_penultimate_conv_layer": False}
    return np.concatenate([np.asarray(grad_cam(*block, **options)) for block in blocks])


def seconds(score: str, batch: int) -> float:
    started = time.perf_counter()
    explain(ink, targets, score, batch)
    return time.perf_counter() - started


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "The structure of `inputs`")  # Keras's, about a tensor in place of a list
    path, layer, given, made = sys.argv[1:]
    with np.load(given) as arrays:
        ink, targets = arrays["ink"], arrays["targets"]
    # ReplaceToLinear alone leaves the softmax in place where it is a layer, not the activation of one.
    modifiers = [ExtractIntermediateLayer("logits"), ReplaceToLinear()]
    grad_cam = Gradcam(keras.saving.load_model(path, compile=False), model_modifier=modifiers)
    batches = {
        score: min(BATCHES, key=lambda batch, score=score: min(seconds(score, batch) for _ in range(TRIES)))
        for score in SCORES
    }
    first = next(iter(batches.items()))
    np.savez(made, heat=explain(ink, targets, *first), coarse=explain(ink, targets, *first, expand_cam=False))
    print(json.dumps(batches), flush=True)
    for _ in sys.stdin:
        print(json.dumps({score: seconds(score, batch) for score, batch in batches.items()}), flush=True)
