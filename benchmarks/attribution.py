"""How long explanations take: one drawing by each method, and 1,000 digits by Grad-CAM beside tf-keras-vis.

Both sides get the same targets; tf-keras-vis also gets its ink ready-made, its layer by name and the batch that it is
quickest with, and is timed with the score of its documentation, `CategoricalScore`, and with a quicker one of our own.
Ours takes the images as they are, all at once, and gives logits, too.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import harness
import numpy as np

from digits import data, paths
from digits.checkpoints import recognizer
from digits.explanations import attribution
from digits.images import to_input

DRAWINGS = 200
SECONDS = 10  # A slow method explains as many drawings as this allows.
DIGITS = 1000
ROUNDS = 9
MODELS = ("mnist_cnn", "mnist_advanced")
PEER = paths.ROOT / ".venv-attribution" / "bin" / "python"


def milliseconds(work: Callable[[np.ndarray], object], images: np.ndarray) -> dict:
    """What one drawing takes, after a first one that doesn't count."""
    work(images[:1])
    measured = []
    while len(measured) < DRAWINGS and sum(measured) < 1000 * SECONDS:
        drawing = images[len(measured), None]
        started = time.perf_counter()
        work(drawing)
        measured.append(1000 * (time.perf_counter() - started))
    median, p95 = np.percentile(measured, (50, 95))
    return {"median": round(median, 2), "p95": round(p95, 2), "drawings": len(measured)}


def one_drawing(name: str, images: np.ndarray, with_tensorflow: bool) -> dict:
    recogniser = recognizer.load(name)
    model = attribution.open_keras(recogniser.path) if with_tensorflow else attribution.ExportedModel(recogniser)
    ways = {
        method: partial(attribution.explain, model, method=method)
        for method, about in attribution.METHODS.items()
        if with_tensorflow or about.needs_gradient != "ink"
    }
    ways["prediction_and_grad_cam"] = lambda drawing: (recogniser.predict_proba(drawing), ways["grad_cam"](drawing))
    return {way: milliseconds(work, images) for way, work in ways.items()}


def many_digits(name: str, images: np.ndarray, folder: Path) -> dict:
    recogniser = recognizer.load(name)
    targets = recogniser.predict_proba(images).argmax(axis=1)
    explain = partial(attribution.explain, images=images, method="grad_cam", target=targets)
    models = {
        "without_tensorflow": attribution.ExportedModel(recogniser),
        "with_tensorflow": attribution.open_keras(recogniser.path),
    }
    explained = explain(models["without_tensorflow"])
    given, made = folder / "given.npz", folder / "made.npz"
    np.savez(given, ink=to_input(images), targets=targets)
    script = Path(__file__).with_name("attribution_peer.py")
    command = [PEER, "-I", script, recogniser.path, explained.layer, given, made]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as peer:
        batches = json.loads(peer.stdout.readline())
        seconds = {way: [] for way in (*models, *batches)}
        for turn in range(ROUNDS + 1):
            for way, model in models.items():
                started = time.perf_counter()
                explain(model)
                seconds[way].append(time.perf_counter() - started)
            peer.stdin.write(f"{turn}\n")
            for way, measured in json.loads(peer.stdout.readline()).items():
                seconds[way].append(measured)
    seconds = {way: np.array(turns[1:]) for way, turns in seconds.items()}
    return {
        "milliseconds_a_digit": {way: round(1000 * np.median(each) / DIGITS, 4) for way, each in seconds.items()},
        "times_faster_than": {
            other: {way: round(np.median(seconds[other] / seconds[way]), 1) for way in models} for other in batches
        },
        "its_quickest_batch": batches,
        "agreement": agreement(explained, made),
    }


def agreement(explained: attribution.Attribution, made: Path) -> dict:
    """How alike the maps are: both from 0 to 1 at the layer's size, and as they come, at 28×28.

    The latter differ by how they are enlarged: tf-keras-vis puts the outermost cells' centres on the outermost pixels'.
    """
    with np.load(made) as theirs:
        coarse, heat = (theirs[key][explained.has_evidence] for key in ("coarse", "heat"))
    positive = np.maximum(explained.raw, 0)[explained.has_evidence]
    low, high = positive.min(axis=(1, 2), keepdims=True), positive.max(axis=(1, 2), keepdims=True)
    pairs = zip(explained.heat[explained.has_evidence], heat, strict=True)
    correlations = [np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] for mine, theirs in pairs]
    return {
        "digits_with_evidence": len(positive),
        "largest_difference_at_the_layer": float(f"{np.abs((positive - low) / (high - low) - coarse).max():.1e}"),
        "correlation_at_28x28": {"median": round(np.median(correlations), 4), "lowest": round(min(correlations), 4)},
    }


if __name__ == "__main__":
    if not PEER.is_file():
        sys.exit("tf-keras-vis is missing: run `make benchmark NAME=attribution`")
    validation = data.load_splits().validation.images
    images = validation[:: len(validation) // DIGITS]
    # Without TensorFlow comes first: in a process that hasn't loaded it.
    drawings = {
        way: {name: one_drawing(name, images, way == "with_tensorflow") for name in MODELS}
        for way in ("without_tensorflow", "with_tensorflow")
    }
    with tempfile.TemporaryDirectory() as folder:
        digits = {name: many_digits(name, images, Path(folder)) for name in MODELS}
    harness.keep("attribution", {"one_drawing_milliseconds": drawings, "digits_by_grad_cam": digits})
