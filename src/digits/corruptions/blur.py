"""Blur, and the loss of detail in cameras and files."""

from functools import lru_cache

import cv2
import numpy as np

from digits.corruptions.pixels import as_grey, blurred_images
from digits.corruptions.streams import Streams
from digits.images import SIDE


def gaussian_blur(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Blur with a Gaussian of `sigma` pixels; there is paper beyond the image's edge."""
    return blurred_images(images, sigma)


def glass_blur(images: np.ndarray, passes: float, streams: Streams) -> np.ndarray:
    """Frosted glass: blur, swap neighbouring pixels, blur again (Hendrycks and Dietterich 2019, as in MNIST-C).

    In each pass, every pixel outside the first row and column is swapped with its left, upper or upper left neighbour,
    with a probability of 1/8 each. The blurs have a sigma of 0.7 pixels and are vertical only: MNIST-C's generator
    treats the columns of its grey images as channels.
    """
    neighbours = np.array([-1, -SIDE, -SIDE - 1])
    positions = np.arange(SIDE - 1, 1, -1)
    here = np.tile((positions[:, None] * SIDE + positions).ravel(), int(passes))
    shuffled = _blurred_vertically(images).astype(np.uint8)
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
    return as_grey(_blurred_vertically(shuffled))


def _blurred_vertically(images: np.ndarray) -> np.ndarray:
    # In float32, full ink would be slightly less than 255, and be rounded down to 254.
    side_by_side = images.swapaxes(0, 1).reshape(SIDE, -1).astype(float)
    blurred = cv2.GaussianBlur(side_by_side, (1, 7), 0.7, borderType=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(blurred.reshape(SIDE, -1, SIDE).swapaxes(0, 1))


def motion_blur(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Smear the ink to one side, within 45° of the horizontal: half a Gaussian of `sigma` pixels, 20 long.

    As in ImageMagick, which MNIST-C uses, the trail consists of the nearest pixels, the image's edge is replicated
    beyond it, and values are rounded down.
    """
    angles = streams.uniform(-45, 45).round().astype(int).tolist()
    blurred = np.empty_like(images)
    for image, angle, target in zip(images, angles, blurred, strict=True):
        kernel, anchor = _trail(angle, sigma)
        cv2.filter2D(image, -1, kernel, target, anchor, delta=-0.499, borderType=cv2.BORDER_REPLICATE)
    return blurred


@lru_cache(maxsize=1000)
def _trail(angle: int, sigma: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The kernel, float32 (rows, columns), and its anchor (x, y): half a Gaussian along `angle` degrees."""
    distance = np.arange(21)
    weights = np.exp(-(distance**2) / (2 * sigma**2))
    x, y = (np.ceil(distance * along(np.deg2rad(angle)) - 0.5).astype(int) for along in (np.cos, np.sin))
    top = y.min()
    kernel = np.zeros((np.ptp(y) + 1, x.max() + 1), np.float32)
    np.add.at(kernel, (y - top, x), weights / weights.sum())
    return kernel, (0, int(-top))


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
