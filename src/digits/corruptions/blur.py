"""Blur, and the loss of detail in cameras and files."""

from functools import lru_cache

import cv2
import numpy as np

from digits.corruptions.pixels import blurred_images
from digits.corruptions.streams import Streams
from digits.images import SIDE


def gaussian_blur(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Blur with a Gaussian of `sigma` pixels; there is paper beyond the image's edge."""
    return blurred_images(images, sigma)


def glass_blur(images: np.ndarray, passes: float, streams: Streams) -> np.ndarray:
    """Frosted glass: blur, swap neighbouring pixels, blur again (Hendrycks and Dietterich 2019, as in MNIST-C).

    In each pass, every pixel outside the first row and column is swapped with its left, upper or upper left neighbour,
    with a probability of 1/8 each. The blurs have a sigma of 0.7 pixels.
    """
    neighbours = np.array([-1, -SIDE, -SIDE - 1])
    positions = np.arange(SIDE - 1, 1, -1)
    here = np.tile((positions[:, None] * SIDE + positions).ravel(), int(passes))
    shuffled = blurred_images(images, 0.7)
    for generator, image in zip(streams.each(), shuffled, strict=True):
        eighth = (8 * generator.random(len(here), np.float32)).astype(np.uint8)
        swapped = np.flatnonzero(eighth < len(neighbours))
        origin = here[swapped]
        other = origin + neighbours[eighth[swapped]]
        # A swap may move a pixel that another has just moved, which can't be vectorised; on plain bytes it is fast.
        pixels = bytearray(image)
        for a, b in zip(origin.tolist(), other.tolist(), strict=True):
            pixels[a], pixels[b] = pixels[b], pixels[a]
        image.flat = np.frombuffer(pixels, np.uint8)
    return blurred_images(shuffled, 0.7)


def motion_blur(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Smear the ink to one side, within 45° of the horizontal: half a Gaussian of `sigma` pixels, at most 20 long."""
    angles = streams.uniform(-45, 45).round().astype(int).tolist()
    blurred = np.empty_like(images)
    for image, angle, target in zip(images, angles, blurred, strict=True):
        kernel, anchor = _trail(angle, sigma)
        cv2.filter2D(image, -1, kernel, dst=target, anchor=anchor, borderType=cv2.BORDER_CONSTANT)
    return blurred


@lru_cache(maxsize=1000)
def _trail(angle: int, sigma: float, longest: int = 20) -> tuple[np.ndarray, tuple[int, int]]:
    """The kernel, float32 (rows, columns), and its anchor (x, y): half a Gaussian along `angle` degrees."""
    distance = np.arange(min(longest, int(4 * sigma)) + 1)
    weights = np.exp(-(distance**2) / (2 * sigma**2))
    x, y = distance * np.cos(np.deg2rad(angle)), distance * np.sin(np.deg2rad(angle))
    # Shift by whole pixels, or the smear would begin between two rows.
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
    """Shrink to `pixels` per side by averaging, and enlarge again bilinearly."""
    coarse = np.empty_like(images)
    for image, target in zip(images, coarse, strict=True):
        small = cv2.resize(image, (int(pixels), int(pixels)), interpolation=cv2.INTER_AREA)
        cv2.resize(small, (SIDE, SIDE), dst=target, interpolation=cv2.INTER_LINEAR)
    return coarse


def jpeg(images: np.ndarray, quality: float, streams: Streams) -> np.ndarray:
    """Compress as JPEG with this quality, 1 to 100, and decode again."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    encoded = [cv2.imencode(".jpg", image, options)[1] for image in images]
    return np.stack([np.asarray(cv2.imdecode(each, cv2.IMREAD_GRAYSCALE)) for each in encoded])
