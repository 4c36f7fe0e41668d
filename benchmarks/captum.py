"""Whether another implementation explains alike: Captum on the same weights in PyTorch, beside `digits.attribution`.

Both explain 1,000 validation digits by the logit of the model's own answer. A difference is relative to the largest
absolute value of that digit's map. Gradients jump where a ReLU opens or a pooling has another winner; in float32
rounding alone can decide that, so both sides work in float64, too, and each is held against its own float64.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import harness
import keras
import numpy as np

from digits import data, paths
from digits.checkpoints import recognizer
from digits.explanations import attribution
from digits.images import to_input

DIGITS = 1000
GOAL = 1e-4
MODELS = ("mnist_cnn", "mnist_advanced")
METHODS = ("grad_cam", "saliency", "input_x_gradient", "integrated_gradients")
PEER = paths.ROOT / ".venv-pytorch" / "bin" / "python"


def in_precision(name: str, precision: str) -> keras.Model:
    """A shipped model with the weights that it has, working in float32 or float64."""
    shipped = keras.saving.load_model(paths.MODELS / f"{name}.keras", compile=False)
    model = keras.models.clone_model(
        shipped,
        input_tensors=keras.Input((28, 28, 1), dtype=precision),
        clone_function=lambda layer: layer.from_config(layer.get_config() | {"dtype": precision}),
    )
    model.set_weights(shipped.get_weights())
    return model


def captum(name: str, model: keras.Model, ink: np.ndarray) -> dict[str, np.ndarray]:
    weights = {f"weight_{index}": weight for index, weight in enumerate(model.get_weights())}
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.npz", Path(folder) / "made.npz"
        np.savez(given, name=name, ink=ink, count=len(weights), **weights)
        # Isolated, the script doesn't take this file for the library of the same name.
        subprocess.run([PEER, "-I", Path(__file__).with_name("captum_peer.py"), given, made], check=True)
        with np.load(made) as arrays:
            return dict(arrays)


def ours(name: str, model: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
    opened = attribution.KerasModel(model)
    explained = {method: attribution.explain(opened, images, method) for method in METHODS}
    maps = {"logits": explained["grad_cam"].logits} | {method: each.raw for method, each in explained.items()}
    if opened.dtype == "float32":
        quick = attribution.open_model(recognizer.load(name))
        maps["grad_cam_without_tensorflow"] = attribution.explain(quick, images, "grad_cam").raw
    return maps


def differences(maps: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """How far maps, (N, h, w), lie from others, each relative to the other's largest absolute value: (N,)."""
    return np.abs(maps - reference).max(axis=(1, 2)) / np.abs(reference).max(axis=(1, 2))


def agreement(mine: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> dict:
    answers, answers_of_captum = mine["logits"].argmax(axis=1), theirs["logits"].argmax(axis=1)
    result = {
        "same_answers": int((answers == answers_of_captum).sum()),
        "largest_difference_of_logits": float(f"{np.abs(mine['logits'] - theirs['logits']).max():.1e}"),
    }
    for way in [name for name in mine if name != "logits"]:
        apart = differences(mine[way], theirs[way.removesuffix("_without_tensorflow")])
        result[way] = {
            "largest": float(f"{apart.max():.1e}"),
            "median": float(f"{np.median(apart):.1e}"),
            "digits_beyond_1e-4": int((apart > GOAL).sum()),
            "agrees_to_1e-4": bool(apart.max() <= GOAL),
        }
    return result


def moved_by_rounding(single: dict[str, np.ndarray], double: dict[str, np.ndarray]) -> dict[str, int]:
    """How many digits' maps in float32 lie beyond the goal from the same side's in float64."""
    return {method: int((differences(single[method], double[method]) > GOAL).sum()) for method in METHODS}


def compare(name: str, images: np.ndarray) -> dict:
    models = {precision: in_precision(name, precision) for precision in ("float32", "float64")}
    ink = to_input(images)
    mine = {precision: ours(name, model, images) for precision, model in models.items()}
    theirs = {precision: captum(name, model, ink.astype(precision)) for precision, model in models.items()}
    return {precision: agreement(mine[precision], theirs[precision]) for precision in models} | {
        "digits_beyond_1e-4_of_own_float64": {
            side: moved_by_rounding(maps["float32"], maps["float64"])
            for side, maps in (("ours", mine), ("captum", theirs))
        }
    }


if __name__ == "__main__":
    if not PEER.is_file():
        sys.exit("Captum is missing: run `make benchmark NAME=captum`")
    validation = data.load_splits().validation.images
    images = validation[:: len(validation) // DIGITS]
    harness.keep("captum", {"digits": len(images)} | {name: compare(name, images) for name in MODELS})
