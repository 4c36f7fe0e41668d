"""Class activation maps: where in a layer's feature maps, (N, h, w, c), the evidence is. Raw maps are (N, h, w)."""

import numpy as np

from digits.explanations.attribution.masks import resize
from digits.explanations.attribution.models import ExplainableModel


def grad_cam(model: ExplainableModel, ink: np.ndarray, weights: np.ndarray, layer: str, maps: np.ndarray) -> np.ndarray:
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2): channels weighted by their mean gradient."""
    return np.einsum("nhwc,nc->nhw", maps, model.map_gradients(ink, weights, layer).mean(axis=(1, 2)))


def hires_cam(
    model: ExplainableModel, ink: np.ndarray, weights: np.ndarray, layer: str, maps: np.ndarray
) -> np.ndarray:
    """HiResCAM (Draelos and Carin 2020): the sum over channels of the map times its gradient."""
    return np.einsum("nhwc,nhwc->nhw", maps, model.map_gradients(ink, weights, layer))


def grad_cam_plus_plus(
    model: ExplainableModel, ink: np.ndarray, weights: np.ndarray, layer: str, maps: np.ndarray
) -> np.ndarray:
    """Grad-CAM++ (Chattopadhay et al. 2018, equations 10 and 19): positive gradients, weighted pixel by pixel.

    For the exponential of the score, higher derivatives are powers of the first, up to a factor that cancels when the
    map is divided by its maximum. Pixels with a negative gradient don't count, and need no weight.
    """
    positive = np.maximum(model.map_gradients(ink, weights, layer), 0)
    denominator = 2 * positive**2 + maps.sum(axis=(1, 2), keepdims=True) * positive**3
    alphas = np.divide(positive**2, denominator, out=np.zeros_like(positive), where=denominator > 0)
    return np.einsum("nhwc,nc->nhw", maps, (alphas * positive).sum(axis=(1, 2)))


def score_cam(
    model: ExplainableModel, ink: np.ndarray, weights: np.ndarray, layer: str, maps: np.ndarray
) -> np.ndarray:
    """Score-CAM (Wang et al. 2020, definition 3): channels weighted by the score of the image masked with them.

    The weight is that score minus its mean over the channels; constant channels get none. The paper subtracts the score
    of a blank image instead. But blank paper looks like some classes itself, and for many a 1 no channel would add to
    its score. The paper's softmax over channels is left out, because with it a contrast of two classes would no longer
    be the difference of their maps.
    """
    raw = np.zeros(maps.shape[:3], maps.dtype)
    for image, image_weights, channels, out in zip(ink, weights, maps, raw, strict=True):
        masks = np.stack([resize(channel) for channel in np.moveaxis(channels, -1, 0)])
        low, high = masks.min(axis=(1, 2), keepdims=True), masks.max(axis=(1, 2), keepdims=True)
        varies = (high > low).ravel()
        if not varies.any():
            continue
        masks = ((masks - low)[varies] / (high - low)[varies])[..., None]
        scores = model.logits(image * masks) @ image_weights
        out[:] = channels[..., varies] @ (scores - scores.mean())
    return raw
