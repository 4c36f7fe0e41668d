"""Corruptions of light: brightness, contrast, shadows, fog."""

import numpy as np

from digits.corruptions.pixels import CENTRE, as_grey, darken
from digits.corruptions.streams import Streams
from digits.images import SIDE


def brightness(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Add `percent` of the full scale to every pixel."""
    return as_grey(images + np.float32(2.55 * percent))


def low_contrast(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Keep `percent` of the contrast: ink and paper both move towards medium grey."""
    return as_grey((images - np.float32(127.5)) * np.float32(percent / 100) + np.float32(127.5))


def faint_ink(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Keep `percent` of the ink's darkness, as with a hard pencil or a dry pen."""
    return as_grey(images * np.float32(percent / 100))


def uneven_light(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Cast a shadow across the page, from full light on one side to `percent` less on the other."""
    angle = streams.uniform(0, 2 * np.pi)[:, None, None]
    rows, columns = (np.indices((SIDE, SIDE), np.float32) - CENTRE) / CENTRE
    across = columns * np.cos(angle) + rows * np.sin(angle)
    depth = 0.5 + 0.5 * across / (np.abs(np.cos(angle)) + np.abs(np.sin(angle)))
    return darken(images, np.float32(percent / 100) * depth)


def fog(images: np.ndarray, weight: float, streams: Streams) -> np.ndarray:
    """Add a plasma fractal of up to `weight` times full ink, and rescale the sum to the image's range."""
    brightest = images.max(axis=(1, 2), keepdims=True).astype(np.float32)
    hazy = images + np.float32(255 * weight) * _plasma(streams)
    return as_grey(hazy * (brightest / (brightest + np.float32(255 * weight))))


def _plasma(streams: Streams) -> np.ndarray:
    """Corners, float32 (N, 28, 28), of 256×256 fields in [0, 1] by midpoint displacement (Fournier et al. 1982).

    The fields are toroidal; with each halving of the step the displacements become 1.96 times smaller. The minimum and
    maximum are taken on a grid of 8 pixels, and only the corner is computed in full resolution.
    """
    weaker = 1.4**2
    field = np.zeros((len(streams.indices), 1, 1), np.float32)
    for octave in range(5):
        field = _halve_step(field, streams, weaker**-octave)
    low, high = field.min(axis=(1, 2), keepdims=True), field.max(axis=(1, 2), keepdims=True)
    # One step more than the corner on every side, so that the wrong values at the outer edge don't reach the corner.
    field = np.roll(field, 1, axis=(1, 2))[:, :6, :6]
    for octave in range(5, 8):
        field = _halve_step(field, streams, weaker**-octave)
    corner = field[:, 8 : 8 + SIDE, 8 : 8 + SIDE]
    return np.clip((corner - low) / (high - low), 0, 1)


def _halve_step(field: np.ndarray, streams: Streams, displacement: float) -> np.ndarray:
    """Refine toroidal fields, (N, k, k), to (N, 2k, 2k) by adding the points halfway between."""
    side = 2 * field.shape[1]
    right, below = np.roll(field, -1, axis=2), np.roll(field, -1, axis=1)
    finer = streams.uniform(-displacement, displacement, side, side)
    middle = finer[:, 1::2, 1::2]
    middle += (field + right + below + np.roll(right, -1, axis=1)) / 4
    finer[:, ::2, ::2] = field
    finer[:, ::2, 1::2] += (field + right + middle + np.roll(middle, 1, axis=1)) / 4
    finer[:, 1::2, ::2] += (field + below + middle + np.roll(middle, 1, axis=2)) / 4
    return finer
