"""Class activation maps: where in a feature map the evidence lies. Raw maps, (N, h, w), as coarse as the layer."""

import numpy as np

from digits.attribution.masks import resize


def grad_cam(model, ink: np.ndarray, weights: np.ndarray, layer: str) -> np.ndarray:
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2): channels weighted by their mean gradient."""
    maps, gradients = model.feature_gradients(ink, weights, layer)
    return np.einsum("nhwc,nc->nhw", maps, gradients.mean(axis=(1, 2)))


def hires_cam(model, ink: np.ndarray, weights: np.ndarray, layer: str) -> np.ndarray:
    """HiResCAM (Draelos and Carin 2020): channels times gradient, place by place."""
    maps, gradients = model.feature_gradients(ink, weights, layer)
    return np.einsum("nhwc,nhwc->nhw", maps, gradients)


def grad_cam_plus_plus(model, ink: np.ndarray, weights: np.ndarray, layer: str) -> np.ndarray:
    """Grad-CAM++ (Chattopadhay et al. 2018, equations 10 and 19): positive gradients, weighted place by place.

    Higher derivatives are powers of the first, as for the exponential of the score, whose own factor drops out when
    the map is divided by its maximum. Negative gradients are left out of the denominator as well as of the sum: where
    the sign changes within a channel, they would bring it near zero and one place near infinity.
    """
    maps, gradients = model.feature_gradients(ink, weights, layer)
    positive = np.maximum(gradients, 0)
    denominator = 2 * positive**2 + (maps * positive**3).sum(axis=(1, 2), keepdims=True)
    alphas = np.divide(positive**2, denominator, out=np.zeros_like(positive), where=denominator > 0)
    return np.einsum("nhwc,nc->nhw", maps, (alphas * positive).sum(axis=(1, 2)))


def score_cam(model, ink: np.ndarray, weights: np.ndarray, layer: str) -> np.ndarray:
    """Score-CAM (Wang et al. 2020, definition 3): channels weighted by what the image scores seen through them alone.

    The weight is by how much that score is above the mean over the channels. The paper compares with blank paper, which
    by itself looks like some classes: to many a 1 no channel would add anything. Its softmax over the channels is left
    out too: it would make a contrast of two classes differ from their difference.
    """
    maps = model.feature_maps(ink, layer)
    raw = np.empty(maps.shape[:3], maps.dtype)
    for image, image_weights, channels, target in zip(ink, weights, maps, raw, strict=True):
        masks = np.stack([resize(channel) for channel in np.moveaxis(channels, -1, 0)])
        low, high = masks.min(axis=(1, 2), keepdims=True), masks.max(axis=(1, 2), keepdims=True)
        # A channel that is the same everywhere shows nothing of the image.
        masks = np.divide(masks - low, high - low, out=np.zeros_like(masks), where=high > low)
        scores = model.logits(image * masks[..., None]) @ image_weights
        target[:] = channels @ (scores - scores.mean())
    return raw
