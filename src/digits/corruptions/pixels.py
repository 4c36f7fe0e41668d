"""What the corruptions share: sizes, rounding, blurring."""

from functools import lru_cache

import cv2
import numpy as np

from digits.images import SIDE

CENTRE = (SIDE - 1) / 2


def as_grey(values: np.ndarray) -> np.ndarray:
    """Round to uint8, clipped to 0 and 255; `values` is overwritten."""
    values += 0.5
    return np.clip(values, 0, 255, out=values).astype(np.uint8)


def darken(images: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Take a `share` of the light from each pixel; what is ink already has none to lose."""
    return as_grey(images + (255 - images) * share)


def blurred_images(images: np.ndarray, sigma: float) -> np.ndarray:
    """Blur each image by a Gaussian of `sigma` pixels; beyond the edge lies paper."""
    blurred = np.empty_like(images)
    for image, target in zip(images, blurred, strict=True):
        cv2.GaussianBlur(image, (0, 0), sigma, dst=target, borderType=cv2.BORDER_CONSTANT)
    return blurred


@lru_cache
def blurred_deviation(sigma: float) -> np.ndarray:
    """Standard deviation, float32 (28, 28), of white noise of variance 1 after OpenCV's Gaussian blur.

    It is larger near the edges, where the blur reflects the image.
    """
    along_one_axis = np.stack([cv2.GaussianBlur(row[None], (0, 0), sigma)[0] for row in np.eye(SIDE, dtype=np.float32)])
    variance = np.square(along_one_axis).sum(axis=0)
    return np.sqrt(np.outer(variance, variance))
