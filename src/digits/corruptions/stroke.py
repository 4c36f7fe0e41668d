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
    """Fade `percent` of the way from the digit to its Canny edges (sigma 1, thresholds 0.1 and 0.2).

    The edges are those of scikit-image, which MNIST-C uses: maxima of a gradient interpolated between the pixels.
    OpenCV's Canny compares whole pixels and draws 3 % more.
    """
    within = _smooth(np.full((SIDE, SIDE), 255, np.uint8))
    smooth = [_smooth(image) / within for image in images]
    across, down = (np.stack([cv2.Sobel(each, cv2.CV_64F, *axis) for each in smooth]) for axis in ((1, 0), (0, 1)))
    magnitude = np.hypot(across, down)
    maxima = _gradient_maxima(across, down, magnitude, 0.1)
    edges = np.empty(images.shape, np.float32)
    for weak, strong, target in zip(maxima.astype(np.uint8), maxima & (magnitude >= 0.2), edges, strict=True):
        count, segments = cv2.connectedComponents(weak)
        ink = np.zeros(count, np.float32)
        ink[segments[strong]] = 255
        target[:] = ink[segments]
    share = np.float32(percent / 100)
    return as_grey(images * (1 - share) + edges * share)


def _smooth(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image / 255, (0, 0), 1.0, borderType=cv2.BORDER_CONSTANT)


def _gradient_maxima(across: np.ndarray, down: np.ndarray, magnitude: np.ndarray, lowest: float) -> np.ndarray:
    """Where a magnitude of at least `lowest` is a maximum along its gradient, away from the edge: bool (N, 28, 28)."""
    maxima = magnitude >= lowest
    maxima[:, [0, -1]] = maxima[:, :, [0, -1]] = False
    image, row, column = np.nonzero(maxima)
    y, x = down[maxima], across[maxima]
    # The gradient passes between a diagonal neighbour and the one above, below, to the left or to the right.
    steep = np.abs(y) >= np.abs(x)
    diagonal = np.minimum(np.abs(x), np.abs(y)) / np.maximum(np.abs(x), np.abs(y))
    y, x = np.sign(y).astype(int), np.sign(x).astype(int)
    for side in (-1, 1):
        straight = magnitude[image, row + side * y * steep, column + side * x * ~steep]
        beside = diagonal * magnitude[image, row + side * y, column + side * x] + (1 - diagonal) * straight
        maxima[image, row, column] &= beside <= magnitude[image, row, column]
    return maxima
