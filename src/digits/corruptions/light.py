"""Light: brightness, contrast, shadows, fog."""

import numpy as np

from digits.corruptions.pixels import CENTRE, SIDE, as_grey, darken
from digits.corruptions.streams import Streams


def brightness(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Add `percent` of the full scale to every pixel."""
    return as_grey(images + np.float32(2.55 * percent))


def low_contrast(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Keep `percent` of the contrast: ink and paper both move towards middle grey."""
    return as_grey((images - np.float32(127.5)) * np.float32(percent / 100) + np.float32(127.5))


def faint_ink(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Leave the ink `percent` of its darkness, as a hard pencil or a dry pen does."""
    return as_grey(images * np.float32(percent / 100))


def uneven_light(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Let a shadow fall across the page, from full light at one side to `percent` less at the other."""
    angle = streams.uniform(0, 2 * np.pi)[:, None, None]
    rows, columns = (np.indices((SIDE, SIDE), np.float32) - CENTRE) / CENTRE
    across = columns * np.cos(angle) + rows * np.sin(angle)
    depth = 0.5 + 0.5 * across / (np.abs(np.cos(angle)) + np.abs(np.sin(angle)))
    return darken(images, np.float32(percent / 100) * depth)


def fog(images: np.ndarray, weight: float, streams: Streams) -> np.ndarray:
    """Add a plasma fractal, 0 to 1, of `weight` times full ink, and bring the sum back into the image's range."""
    brightest = images.max(axis=(1, 2), keepdims=True).astype(np.float32)
    hazy = images + np.float32(255 * weight) * _plasma(streams)
    return as_grey(hazy * (brightest / (brightest + np.float32(255 * weight))))


def _plasma(streams: Streams, side: int = 32, weaker: float = 1.4**2) -> np.ndarray:
    """Fields from 0 to 1 by midpoint displacement on a torus (Fournier et al. 1982), float32 (N, 28, 28).

    Each halving of the step makes the displacements `weaker` times smaller.
    """
    bump = streams.uniform(-1, 1, side, side)
    field = np.zeros_like(bump)
    step = side
    while step > 1:
        half = step // 2
        corners = field[:, ::step, ::step]
        right = np.roll(corners, -1, axis=2)
        below = np.roll(corners, -1, axis=1)
        middle = (corners + right + below + np.roll(right, -1, axis=1)) / 4 + bump[:, half::step, half::step]
        field[:, half::step, half::step] = middle
        across = (corners + right + middle + np.roll(middle, 1, axis=1)) / 4
        field[:, ::step, half::step] = across + bump[:, ::step, half::step]
        down = (corners + below + middle + np.roll(middle, 1, axis=2)) / 4
        field[:, half::step, ::step] = down + bump[:, half::step, ::step]
        bump /= weaker
        step = half
    field -= field.min(axis=(1, 2), keepdims=True)
    field /= field.max(axis=(1, 2), keepdims=True)
    return field[:, :SIDE, :SIDE]
