"""Helpers that the corruptions share: rounding, darkening, blurring."""

from functools import lru_cache

import cv2
import numpy as np

from digits.images import SIDE

CENTRE = (SIDE - 1) / 2


def as_grey(values: np.ndarray) -> np.ndarray:
    """Round to uint8 of the same shape, clipped to 0 and 255; `values`, float32, is overwritten."""
    values += 0.5
    return np.clip(values, 0, 255, out=values).astype(np.uint8)


def darken(images: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Remove a `share` of the light, 0 to 1, from each pixel of uint8 (N, 28, 28); full ink stays full ink."""
    return as_grey(images + (255 - images) * share)


def blurred_images(images: np.ndarray, sigma: float) -> np.ndarray:
    """Blur images, uint8 (N, 28, 28), with a Gaussian of `sigma` pixels; there is paper beyond their edges."""
    blurred = np.empty_like(images)
    for image, target in zip(images, blurred, strict=True):
        cv2.GaussianBlur(image, (0, 0), sigma, dst=target, borderType=cv2.BORDER_CONSTANT)
    return blurred


@lru_cache
def blurred_deviation(sigma: float, border: int = cv2.BORDER_DEFAULT) -> np.ndarray:
    """Standard deviation, float32 (28, 28), of white noise of variance 1 after a Gaussian blur of `sigma` pixels.

    It is larger near the edges, where OpenCV's blur continues the image by reflection or as `border` says.
    """
    units = np.eye(SIDE, dtype=np.float32)[:, None]
    along_one_axis = np.concatenate([cv2.GaussianBlur(unit, (0, 0), sigma, borderType=border) for unit in units])
    variance = np.square(along_one_axis).sum(axis=0)
    return np.sqrt(np.outer(variance, variance))
