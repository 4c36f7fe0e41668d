"""Gaussian, shot and impulse noise."""

import numpy as np

from digits.corruptions.pixels import as_grey
from digits.corruptions.streams import Streams
from digits.images import SIDE


def gaussian_noise(images: np.ndarray, sigma: float, streams: Streams) -> np.ndarray:
    """Add normally distributed noise with a standard deviation of `sigma` grey levels."""
    return as_grey(images + sigma * streams.normal(SIDE, SIDE))


def shot_noise(images: np.ndarray, photons: float, streams: Streams) -> np.ndarray:
    """Replace each pixel by a Poisson-distributed count, with a mean of `photons` at full ink, scaled back."""
    counted = np.zeros(images.shape, np.float32)
    rates = images * np.float32(photons / 255)
    inked = images > 0
    for generator, rate, where, count in zip(streams.each(), rates, inked, counted, strict=True):
        count[where] = generator.poisson(rate[where])
    return as_grey(counted * np.float32(255 / photons))


def impulse_noise(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Salt-and-pepper noise: set `percent` of the pixels to black or white with equal probability."""
    chance = streams.uniform(0, 100, SIDE, SIDE)
    noisy = images.copy()
    noisy[chance < percent / 2] = 0
    noisy[chance >= 100 - percent / 2] = 255
    return noisy
