"""Class activation maps: where in a layer's feature maps, (N, h, w, c), the evidence lies. Raw maps are (N, h, w)."""

import numpy as np

from digits.explanations.attribution.masks import resize


def grad_cam(model, ink: np.ndarray, weights: np.ndarray, layer: str, maps: np.ndarray) -> np.ndarray:
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2): channels weighted by their mean gradient."""
    return np.einsum("nhwc,nc->nhw", maps, model.map_gradients(ink, weights, layer).mean(axis=(1, 2)))


def hires_cam(model, ink: np.ndarray, weights: np.ndarray, layer: str, maps: np.ndarray) -> np.ndarray:
    """HiResCAM (Draelos and Carin 2020): channels times gradient, place by place."""
    return np.einsum("nhwc,nhwc->nhw", maps, model.map_gradients(ink, weights, layer))


def grad_cam_plus_plus(model, ink: np.ndarray, weights: np.ndarray, layer: str, maps: np.ndarray) -> np.ndarray:
    """Grad-CAM++ (Chattopadhay et al. 2018, equations 10 and 19): positive gradients, weighted place by place.

    Higher derivatives are powers of the first, as for the exponential of the score, whose own factor drops out when
    the map is divided by its maximum. A place with a negative gradient doesn't count, and so needs no weight.
    """
    positive = np.maximum(model.map_gradients(ink, weights, layer), 0)
    denominator = 2 * positive**2 + maps.sum(axis=(1, 2), keepdims=True) * positive**3
    alphas = np.divide(positive**2, denominator, out=np.zeros_like(positive), where=denominator > 0)
    return np.einsum("nhwc,nc->nhw", maps, (alphas * positive).sum(axis=(1, 2)))


def score_cam(model, ink: np.ndarray, weights: np.ndarray, layer: str, maps: np.ndarray) -> np.ndarray:
    """Score-CAM (Wang et al. 2020, definition 3): channels weighted by what the image scores seen through them alone.

    The weight is by how much that score is above the mean over the channels; one that is the same everywhere shows
    nothing and has none. The paper compares with blank paper, which by itself looks like some classes: to many a 1 no
    channel would add anything. Its softmax over the channels is left out too: it would make a contrast of two classes
    differ from their difference.
    """
    raw = np.zeros(maps.shape[:3], maps.dtype)
    for image, image_weights, channels, target in zip(ink, weights, maps, raw, strict=True):
        masks = np.stack([resize(channel) for channel in np.moveaxis(channels, -1, 0)])
        low, high = masks.min(axis=(1, 2), keepdims=True), masks.max(axis=(1, 2), keepdims=True)
        shows = (high > low).ravel()
        if not shows.any():
            continue
        masks = ((masks - low)[shows] / (high - low)[shows])[..., None]
        scores = model.logits(image * masks) @ image_weights
        target[:] = channels[..., shows] @ (scores - scores.mean())
    return raw
