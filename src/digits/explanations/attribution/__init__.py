"""Which parts of an image speak for an answer: ten attribution methods behind one function, `explain`.

Each method is one function that returns raw maps. Choosing the score and the layer, checking, resizing and normalising
happen here, once for all methods. `docs/explanations.md` says what each method can and can't tell.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np

from digits import backend
from digits.checkpoints.recognizer import Recognizer
from digits.explanations.attribution import cam, gradients, masks
from digits.explanations.attribution.models import ExplainableModel, ExportedModel, KerasModel
from digits.images import check_images, to_input


@dataclass(frozen=True, kw_only=True)
class Method:
    """An attribution method.

    Attributes:
        title: its name in reports.
        function: from (model, ink, weights, ...) to raw maps, float (N, h, w).
        needs_layer: it explains a layer's feature maps, and takes `layer` and `maps`.
        needs_gradient: what it differentiates with respect to: "ink", "map" or, if empty, nothing.
        is_random: it takes a random generator, `rng`.
        is_linear: the raw map of a contrast is the difference of two raw maps.
    """

    title: str
    function: Callable[..., np.ndarray]
    needs_layer: bool = False
    needs_gradient: str = ""
    is_random: bool = False
    is_linear: bool = True


METHODS = {
    "grad_cam": Method(title="Grad-CAM", function=cam.grad_cam, needs_layer=True, needs_gradient="map"),
    "grad_cam_plus_plus": Method(
        title="Grad-CAM++", function=cam.grad_cam_plus_plus, needs_layer=True, needs_gradient="map", is_linear=False
    ),
    "hires_cam": Method(title="HiResCAM", function=cam.hires_cam, needs_layer=True, needs_gradient="map"),
    "score_cam": Method(title="Score-CAM", function=cam.score_cam, needs_layer=True),
    "saliency": Method(title="Saliency", function=gradients.saliency, needs_gradient="ink"),
    "input_x_gradient": Method(title="Input × gradient", function=gradients.input_x_gradient, needs_gradient="ink"),
    "integrated_gradients": Method(
        title="Integrated gradients", function=gradients.integrated_gradients, needs_gradient="ink"
    ),
    "smooth_grad": Method(title="SmoothGrad", function=gradients.smooth_grad, needs_gradient="ink", is_random=True),
    "occlusion": Method(title="Occlusion", function=masks.occlusion),
    "rise": Method(title="RISE", function=masks.rise, is_random=True),
}
# What `explain` passes to a method in addition to the method's own parameters.
GIVEN = {"model", "ink", "weights", "layer", "maps", "rng"}
# The best in the benchmark of methods, which docs/explanations.md describes.
DEFAULT = "occlusion"
DEFAULT_WITHOUT_CONVOLUTIONS = "input_x_gradient"


@dataclass(frozen=True)
class Attribution:
    """Maps that explain a model's scores for N images.

    Attributes:
        method: the method's name.
        layer: the layer whose feature maps it explains; None for a method that explains the ink.
        target: the classes explained, int (N,).
        versus: the classes that they are contrasted with, int (N,), or None.
        logits: the model's logits, float (N, classes).
        raw: the signed maps, float (N, h, w), at the resolution of the layer or of the image.
        heat: the positive evidence at 28×28, divided by its maximum, float (N, 28, 28); all zeros where there is none.
        has_evidence: whether there is any positive evidence, bool (N,).
    """

    method: str
    layer: str | None
    target: np.ndarray
    versus: np.ndarray | None
    logits: np.ndarray
    raw: np.ndarray
    heat: np.ndarray
    has_evidence: np.ndarray

    @property
    def signed(self) -> np.ndarray:
        """The raw maps at 28×28, (N, 28, 28)."""
        return masks.resize_all(self.raw)


def explain(
    model: ExplainableModel,
    images: np.ndarray,
    method: str | None = None,
    target: int | np.ndarray | None = None,
    versus: int | np.ndarray | None = None,
    layer: str | None = None,
    seed: int = 0,
    **parameters,
) -> Attribution:
    """Explain a model's scores for images with an attribution method.

    Args:
        images: uint8 (N, 28, 28), ink 255 on paper 0.
        method: one of `METHODS`; by default that of `default_method`.
        target: the class to explain, one for all images or int (N,); by default the model's answers.
        versus: a class to contrast with: the target's logit minus this class's is explained.
        layer: the layer to explain; by default the last one with a spatial output behind a convolution.
        seed: for methods that use random numbers.
        parameters: the method's own, such as `steps` of integrated gradients.

    Raises:
        ValueError: there is no such method, class or layer, the model can't be explained in this way, the images have
            another shape or dtype, or the logits or the maps aren't finite.
    """
    method = method or default_method(model)
    check_method(method)
    check_images(images)
    chosen = METHODS[method]
    _check_parameters(chosen, parameters)
    layer = choose_layer(model, method, layer)
    if not len(images):
        raise ValueError("expected at least one image to explain")
    ink = to_input(images)
    if layer:
        logits, parameters["maps"] = model.logits_and_maps(ink, layer)
        parameters["layer"] = layer
    else:
        logits = model.logits(ink)
    if not np.isfinite(logits).all():
        raise ValueError(f"the logits of {model.name} aren't finite numbers")
    targets = logits.argmax(axis=1) if target is None else _classes("target", target, *logits.shape)
    others = None if versus is None else _classes("versus", versus, *logits.shape)
    weights = _score(targets, others, logits)
    if chosen.is_random:
        parameters["rng"] = np.random.default_rng(seed)
    # Values that aren't finite are reported below, in a sentence.
    with np.errstate(invalid="ignore", over="ignore"):
        raw = chosen.function(model, ink.astype(logits.dtype), weights, **parameters)
    if not np.isfinite(raw).all():
        raise ValueError(f"{chosen.title} of {model.name} isn't finite: somewhere the model's gradient or answer isn't")
    return Attribution(method, layer, targets, others, logits, raw, *normalise(raw))


def normalise(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positive part of raw maps, float (N, h, w), at 28×28 and divided by its maximum; and whether there is any."""
    positive = masks.resize_all(np.maximum(raw, 0))
    peaks = positive.max(axis=(1, 2))
    has_evidence = peaks > 0
    return positive / np.where(has_evidence, peaks, 1)[:, None, None], has_evidence


def open_model(recogniser: Recognizer, method: str | None = None, layer: str | None = None) -> ExplainableModel:
    """Open a recogniser for a method in the quickest way: through its export if that suffices, else with TensorFlow.

    Raises:
        ValueError: there is no such method, or the checkpoint lacks the layer or the gradient that it needs.
    """
    quick = ExportedModel(recogniser)
    method = method or default_method(quick)
    check_method(method)
    if layer is None:
        choose_layer(quick, method, None)
    if layer is not None and not recogniser.network:
        choose_layer(quick, method, layer)
    if layer in (None, quick.feature_layer) and is_quick(quick, method):
        return quick
    if not recogniser.network:
        raise ValueError(
            f"{METHODS[method].title} needs a gradient, which {recogniser.path.name} doesn't have; "
            f"these methods work on it: {', '.join(working_methods(quick))}"
        )
    return open_keras(recogniser.network)


def is_quick(model: ExportedModel, method: str) -> bool:
    """Whether a method works on an export, without TensorFlow, at the exported layer."""
    gradient = METHODS[method].needs_gradient
    return not gradient or (gradient == "map" and model.has_linear_head)


def open_keras(path: Path) -> KerasModel:
    """Open a recogniser's `network` with TensorFlow; the last few stay open."""
    return _open_keras(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _open_keras(path: Path, changed: int) -> KerasModel:
    backend.load_keras()
    import keras

    return KerasModel(cast("keras.Model", keras.saving.load_model(path, compile=False, safe_mode=True)))


def choose_layer(model: ExplainableModel, method: str, layer: str | None) -> str | None:
    """The layer that a method explains: `layer`, or the model's last spatial one; None for a method that needs none.

    Raises:
        ValueError: the method needs a layer that the model doesn't have, or needs none and got one.
    """
    if not METHODS[method].needs_layer:
        if layer is not None:
            raise ValueError(f"{METHODS[method].title} explains the ink, not a layer, but got layer {layer}")
        return None
    if layer is None and model.feature_layer is None:
        has = f"it has {', '.join(model.all_layers)}" if model.all_layers else "it isn't a network"
        raise ValueError(
            f"{METHODS[method].title} needs a layer with a spatial output behind a convolution, and {model.name} has "
            f"none ({has}); these methods work on it: {', '.join(working_methods(model))}"
        )
    if layer is not None and layer not in model.layers:
        raise ValueError(f"{model.name} has no layer {layer} with a spatial output; it has {', '.join(model.layers)}")
    return layer or model.feature_layer


def default_method(model: ExplainableModel) -> str:
    """The method to use for a model unless another is chosen."""
    return DEFAULT if model.feature_layer or not model.has_gradient else DEFAULT_WITHOUT_CONVOLUTIONS


def check_method(method: str) -> None:
    """Raise a ValueError if there is no such method."""
    if method not in METHODS:
        raise ValueError(f"no method called {method}; there are: {', '.join(METHODS)}")


def working_methods(model: ExplainableModel) -> list[str]:
    """The methods that work on a model, with TensorFlow if its checkpoint is a Keras file."""
    return [
        name
        for name, method in METHODS.items()
        if (model.feature_layer or not method.needs_layer)
        and (
            model.has_gradient
            or not method.needs_gradient
            or (method.needs_gradient == "map" and model.has_linear_head)
        )
    ]


def _check_parameters(method: Method, parameters: dict) -> None:
    own = [name for name in inspect.signature(method.function).parameters if name not in GIVEN]
    if unknown := set(parameters) - set(own):
        raise ValueError(f"{method.title} has no parameter {', '.join(unknown)}; it has {', '.join(own) or 'none'}")


def _score(target: np.ndarray, versus: np.ndarray | None, logits: np.ndarray) -> np.ndarray:
    """The logits' weights in the scores, (N, classes)."""
    weights = np.zeros_like(logits)
    weights[np.arange(len(logits)), target] = 1
    if versus is not None:
        if (versus == target).any():
            raise ValueError("expected another class in versus than in target")
        weights[np.arange(len(logits)), versus] = -1
    return weights


def _classes(name: str, target: int | np.ndarray, count: int, classes: int) -> np.ndarray:
    given = np.asarray(target)
    if given.dtype.kind not in "iu" or given.shape not in ((), (count,)):
        raise ValueError(f"expected {name} as one class or {count}, got {given.dtype} of shape {given.shape}")
    if given.min() < 0 or given.max() >= classes:
        raise ValueError(f"{name} must be 0 to {classes - 1}, got {given.min() if given.min() < 0 else given.max()}")
    return np.broadcast_to(given, count)
