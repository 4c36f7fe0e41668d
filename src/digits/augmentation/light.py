"""Families of augmentation that imitate cameras and light: blur, filters, tone, background, noise."""

import cv2
import numpy as np

from digits.augmentation.shape import bumps
from digits.images import SIDE

# Side of a blur's kernel, in pixels.
FOCUS = 9
# Knots per side of the smooth fields that make up a background.
OCTAVES = (2, 4, 7, 12)


def blur(images: np.ndarray, rng: np.random.Generator, largest_sigma: float) -> np.ndarray:
    """Blur each image with a random Gaussian of any direction, its standard deviations up to `largest_sigma` pixels.

    Args:
        images: uint8 (N, 28, 28), here as in the functions below.
    """
    sigma = np.maximum(0.25, largest_sigma * rng.random((len(images), 2)))
    angle = rng.uniform(0, np.pi, len(images))
    position = np.arange(FOCUS, dtype=np.float32) - FOCUS // 2
    x, y = position[None, None, :], position[None, :, None]
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    long, wide = (sigma[:, axis, None, None] for axis in range(2))
    kernels = np.exp(-(((cosine * x + sine * y) / long) ** 2 + ((cosine * y - sine * x) / wide) ** 2) / 2)
    return _filtered(images, kernels / kernels.sum(axis=(1, 2), keepdims=True))


def random_filter(images: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Add a random 3×3 convolution of each image to it (after Xu et al. 2021), clipped to 0 and 255."""
    kernels = rng.normal(0, strength / 3, (len(images), 3, 3))
    kernels[:, 1, 1] += 1
    return _filtered(images, kernels)


def _filtered(images: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    filtered = np.empty_like(images)
    for image, kernel, target in zip(images, kernels.astype(np.float32), filtered, strict=True):
        cv2.filter2D(image, -1, kernel, dst=target, borderType=cv2.BORDER_REPLICATE)
    return filtered


def smooth_fields(count: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth random fields in [0, 1], float32 (count, 28, 28): sums of several scales in random proportions."""
    field = np.zeros((count, SIDE * SIDE), np.float32)
    for knots in OCTAVES:
        weights = rng.uniform(0, 1, (count, 1)).astype(np.float32) ** 2
        field += (weights * rng.standard_normal((count, knots**2), np.float32)) @ bumps(knots)
    low, high = field.min(axis=1, keepdims=True), field.max(axis=1, keepdims=True)
    return ((field - low) / (high - low + 1e-6)).reshape(count, SIDE, SIDE)


def change_tone(images: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Apply a random tone curve to each image: up to `strength` less contrast, at a random level, and a gamma."""
    count = len(images)
    lost = rng.uniform(0, strength, (count, 1)).astype(np.float32)
    lowest = lost * rng.random((count, 1), np.float32)
    gamma = np.exp(rng.uniform(-1, 1, (count, 1))).astype(np.float32)
    curves = lowest + (1 - lost) * np.linspace(0, 1, 256, dtype=np.float32) ** gamma
    return np.take_along_axis(_as_grey(255 * curves), images.reshape(count, -1).astype(np.intp), 1).reshape(
        images.shape
    )


def cloud(images: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Blend each image with a smooth random background by up to `strength`; in a third of them ink covers it."""
    share = rng.uniform(0, strength, (len(images), 1, 1)).astype(np.float32)
    background = 255 * share * smooth_fields(len(images), rng)
    above = rng.random((len(images), 1, 1)) < 1 / 3
    return _as_grey(np.where(above, np.maximum(images, background), images * (1 - share) + background))


def add_noise(images: np.ndarray, rng: np.random.Generator, largest: float) -> np.ndarray:
    """Add noise with a standard deviation of up to `largest` grey levels, from Gaussian to heavy-tailed.

    The noise is a signed power, 1 to 4, of Gaussian noise; in a quarter of the images it is proportional to the ink.
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
