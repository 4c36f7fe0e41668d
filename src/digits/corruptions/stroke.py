"""Corruptions of the stroke: thicker, thinner, or only its outline."""

from collections.abc import Callable

import cv2
import numpy as np

from digits.corruptions.pixels import as_grey
from digits.corruptions.streams import Streams
from digits.images import SIDE

# Enlarging the image first allows changes by fractions of a pixel.
ENLARGEMENT = 4


def thicker(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Widen the stroke by `pixels`: greyscale dilation by a disc of that diameter."""
    return _change_stroke(images, pixels, cv2.dilate)


def thinner(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Thin the stroke by `pixels`: greyscale erosion by a disc of that diameter."""
    return _change_stroke(images, pixels, cv2.erode)


def _change_stroke(images: np.ndarray, pixels: float, operation: Callable) -> np.ndarray:
    large = SIDE * ENLARGEMENT
    diameter = round(pixels * ENLARGEMENT) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    changed = np.empty_like(images)
    for image, target in zip(images, changed, strict=True):
        enlarged = cv2.resize(image, (large, large), interpolation=cv2.INTER_LINEAR)
        # There is paper beyond the image's edge.
        enlarged = operation(enlarged, disc, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        cv2.resize(enlarged, (SIDE, SIDE), dst=target, interpolation=cv2.INTER_AREA)
    return changed


def canny_edges(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Fade `percent` of the way from the digit to its Canny edges (sigma 1, thresholds 0.1 and 0.2)."""
    precision = 4096
    share = np.float32(percent / 100)
    faded = np.empty(images.shape, np.float32)
    for image, target in zip(images, faded, strict=True):
        smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0, borderType=cv2.BORDER_CONSTANT)
        across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order, scale=precision / 255) for order in ((1, 0), (0, 1)))
        edges = cv2.Canny(
            across.astype(np.int16), down.astype(np.int16), 0.1 * precision, 0.2 * precision, L2gradient=True
        )
        np.add(image * (1 - share), edges * share, out=target)
    return as_grey(faded)
