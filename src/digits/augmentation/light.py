"""What the eye or the camera makes of the page: focus, filters, light, noise."""

import cv2
import numpy as np

from digits.augmentation.shape import SIDE, bumps

FOCUS = 9
OCTAVES = (2, 4, 7, 12)


def blur(images: np.ndarray, rng: np.random.Generator, largest_sigma: float) -> np.ndarray:
    """Blur each image by a Gaussian of its own, up to `largest_sigma` pixels long and of any shape and direction."""
    sigma = np.maximum(0.25, largest_sigma * rng.random((len(images), 2)))
    angle = rng.uniform(0, np.pi, len(images))
    place = np.arange(FOCUS, dtype=np.float32) - FOCUS // 2
    x, y = place[None, None, :], place[None, :, None]
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    long, wide = (sigma[:, axis, None, None] for axis in range(2))
    kernels = np.exp(-(((cosine * x + sine * y) / long) ** 2 + ((cosine * y - sine * x) / wide) ** 2) / 2)
    return _filtered(images, kernels / kernels.sum(axis=(1, 2), keepdims=True))


def random_filter(images: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Add to each image what a random filter of 3×3 makes of it (as in Xu et al. 2021); what overshoots is cut off."""
    kernels = rng.normal(0, strength / 3, (len(images), 3, 3))
    kernels[:, 1, 1] += 1
    return _filtered(images, kernels)


def _filtered(images: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    filtered = np.empty_like(images)
    for image, kernel, target in zip(images, kernels.astype(np.float32), filtered, strict=True):
        cv2.filter2D(image, -1, kernel, dst=target, borderType=cv2.BORDER_REPLICATE)
    return filtered


def smooth_fields(count: int, rng: np.random.Generator) -> np.ndarray:
    """Random fields from 0 to 1, float32 (count, 28, 28): clouds of several sizes in random proportion."""
    field = np.zeros((count, SIDE * SIDE), np.float32)
    for knots in OCTAVES:
        weights = rng.uniform(0, 1, (count, 1)).astype(np.float32) ** 2
        field += (weights * rng.standard_normal((count, knots**2), np.float32)) @ bumps(knots)
    low, high = field.min(axis=1, keepdims=True), field.max(axis=1, keepdims=True)
    return ((field - low) / (high - low + 1e-6)).reshape(count, SIDE, SIDE)


def change_light(images: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Lower each image's contrast by up to `strength`: the ink gets fainter, the paper greyer, or both saturate."""
    count = len(images)
    lost = rng.uniform(0, strength, (count, 1, 1)).astype(np.float32)
    added = rng.random((count, 1, 1), np.float32) * lost
    # Half of them keep full ink: the light that is added meets the end of the scale.
    kept = np.where(rng.random((count, 1, 1)) < 0.5, 1 - lost, 1).astype(np.float32)
    return _as_grey(images * kept + 255 * added)


def cloud(images: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Lay a random smooth background over each image: in place of up to `strength` of its contrast, or on top."""
    share = rng.uniform(0, strength, (len(images), 1, 1)).astype(np.float32)
    kept = np.where(rng.random((len(images), 1, 1)) < 0.7, 1 - share, 1).astype(np.float32)
    return _as_grey(images * kept + 255 * share * smooth_fields(len(images), rng))


def add_noise(images: np.ndarray, rng: np.random.Generator, largest: float) -> np.ndarray:
    """Add noise of up to `largest` grey levels (standard deviation) to each image, from even to rare and strong.

    The noise is a power, from 1 to 4, of normal noise with its sign; half of it follows the ink, as light's own does.
    """
    count = len(images)
    power = rng.uniform(1, 4, (count, 1, 1)).astype(np.float32)
    noise = rng.standard_normal(images.shape, np.float32)
    noise = np.sign(noise) * np.abs(noise) ** power
    noise *= rng.uniform(0, largest, (count, 1, 1)).astype(np.float32) / noise.std(axis=(1, 2), keepdims=True)
    on_ink = (rng.random((count, 1, 1)) < 0.25).astype(np.float32)
    return _as_grey(images + noise * (1 - on_ink + on_ink * images / 128))


def _as_grey(images: np.ndarray) -> np.ndarray:
    return np.clip(images + 0.5, 0, 255).astype(np.uint8)
