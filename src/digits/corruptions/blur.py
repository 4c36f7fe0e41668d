"""Blur, and what cameras and files lose."""

from functools import lru_cache

import cv2
import numpy as np

from digits.corruptions.pixels import blurred_images
from digits.corruptions.streams import Streams
from digits.images import SIDE


def gaussian_blur(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Blur by a Gaussian of `sigma` pixels; beyond the edge lies paper."""
    return blurred_images(images, sigma)


def glass_blur(images: np.ndarray, passes: float, streams: Streams) -> np.ndarray:
    """Look through frosted glass: blur, swap neighbours, blur again (Hendrycks and Dietterich 2019, as in MNIST-C).

    In each of the passes, every pixel outside the first row and column has a chance of 1/8 to swap places with the one
    to its left, the same for the one above it and for the one above that to the left. Blurs of 0.7 pixels.
    """
    neighbours = np.array([-1, -SIDE, -SIDE - 1])
    places = np.arange(SIDE - 1, 1, -1)
    here = np.tile((places[:, None] * SIDE + places).ravel(), int(passes))
    shuffled = blurred_images(images, 0.7)
    for generator, image in zip(streams.each(), shuffled, strict=True):
        eighth = (8 * generator.random(len(here), np.float32)).astype(np.uint8)
        swapped = np.flatnonzero(eighth < len(neighbours))
        origin = here[swapped]
        other = origin + neighbours[eighth[swapped]]
        # A swap may move what another has just moved, so they can't be done at once; on plain bytes they are quick.
        pixels = bytearray(image)
        for a, b in zip(origin.tolist(), other.tolist(), strict=True):
            pixels[a], pixels[b] = pixels[b], pixels[a]
        image.flat = np.frombuffer(pixels, np.uint8)
    return blurred_images(shuffled, 0.7)


def motion_blur(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Smear the ink to one side, within 45 degrees of the horizontal: half a Gaussian of `sigma`, up to 20 pixels."""
    angles = streams.uniform(-45, 45).round().astype(int).tolist()
    blurred = np.empty_like(images)
    for image, angle, target in zip(images, angles, blurred, strict=True):
        kernel, anchor = _trail(angle, sigma)
        cv2.filter2D(image, -1, kernel, dst=target, anchor=anchor, borderType=cv2.BORDER_CONSTANT)
    return blurred


@lru_cache(maxsize=1000)
def _trail(angle: int, sigma: float, longest: int = 20) -> tuple[np.ndarray, tuple[int, int]]:
    """The kernel of a motion blur, float32, and its anchor (x, y): half a Gaussian along `angle` degrees."""
    distance = np.arange(min(longest, int(4 * sigma)) + 1)
    weights = np.exp(-(distance**2) / (2 * sigma**2))
    x, y = distance * np.cos(np.deg2rad(angle)), distance * np.sin(np.deg2rad(angle))
    # By whole pixels, or the smear would begin between two rows.
    y -= np.floor(y.min())
    kernel = np.zeros((int(np.ceil(y.max())) + 1, int(np.ceil(x.max())) + 1), np.float32)
    for across, down, weight in zip(x, y, weights / weights.sum(), strict=True):
        left, top = int(across), int(down)
        for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
            share = max(0, 1 - abs(across - column)) * max(0, 1 - abs(down - row))
            if share:
                kernel[row, column] += weight * share
    return kernel, (0, round(y[0]))


def downsampling(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Shrink to so many pixels a side by averaging, and enlarge again smoothly."""
    coarse = np.empty_like(images)
    for image, target in zip(images, coarse, strict=True):
        small = cv2.resize(image, (int(pixels), int(pixels)), interpolation=cv2.INTER_AREA)
        cv2.resize(small, (SIDE, SIDE), dst=target, interpolation=cv2.INTER_LINEAR)
    return coarse


def jpeg(images: np.ndarray, quality: float, streams: Streams) -> np.ndarray:
    """Compress as JPEG and open again."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    opened = [cv2.imdecode(cv2.imencode(".jpg", image, options)[1], cv2.IMREAD_GRAYSCALE) for image in images]
    return np.stack(opened)
