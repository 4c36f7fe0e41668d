"""Marks on the page beside the digit, or over it."""

from statistics import NormalDist

import cv2
import numpy as np

from digits.corruptions.pixels import as_grey, blurred_deviation, darken
from digits.corruptions.streams import Streams
from digits.images import SIDE


def ruled_paper(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Ruled paper: lines 6 to 9 pixels apart, `percent` as dark as ink."""
    return darken(images, np.float32(percent / 100) * _ruling(streams, 6, 9)[:, :, None])


def squared_paper(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Squared paper: lines 5 to 7 pixels apart in both directions, `percent` as dark as ink."""
    spacing = streams.uniform(5, 7)
    down, across = (_ruling(streams, spacing, spacing) for _ in range(2))
    return darken(images, np.float32(percent / 100) * np.maximum(down[:, :, None], across[:, None, :]))


def _ruling(streams: Streams, closest: float | np.ndarray, widest: float | np.ndarray) -> np.ndarray:
    """How much of each row a line covers, float32 (N, 28): lines a pixel thick, `closest` to `widest` pixels apart."""
    spacing = (closest + (widest - closest) * streams.uniform(0, 1))[:, None]
    row = np.arange(SIDE, dtype=np.float32) + spacing * streams.uniform(0, 1)[:, None]
    from_line = np.abs((row + spacing / 2) % spacing - spacing / 2)
    return np.clip(1 - from_line, 0, 1)


def dotted_line(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """A dashed line across the page, `percent` as dark as ink: two columns drawn, two left out."""
    left, right = streams.uniform(0, SIDE - 1, 2).T[..., None, None]
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    above = rows - left - (right - left) * columns / (SIDE - 1)
    drawn = (columns % 4 >= 2) & (columns < SIDE - 1)
    return as_grey(images + np.float32(2.55 * percent) * _line(above) * drawn)


def zigzag(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """A zigzag across the page, `percent` as dark as ink: amplitude 2 pixels, 4 pixels between turns."""
    first, last = 2, 25
    start = streams.uniform(0, SIDE - 1)[:, None, None]
    slope = streams.uniform(-5, 5)[:, None, None] / (last - first)
    length = np.sqrt(1 + slope**2)
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    along = ((columns - first) + slope * (rows - start)) / length
    beside = ((rows - start) - slope * (columns - first)) / length
    # A triangle wave: 0 at the start, 2 after 2 pixels, -2 after 6.
    wave = np.abs((along + 6) % 8 - 4) - 2
    inside = (along >= 0) & (along <= (last - first) * length)
    return as_grey(images + np.float32(2.55 * percent) * _line(beside - wave) * inside)


def _line(above: np.ndarray) -> np.ndarray:
    """The ink, 0 to 1, at `above` pixels above or below a line; at half its maximum as wide as MNIST-C's lines."""
    return np.clip(np.float32(1.4) - np.abs(above), 0, 1)


def stripe(images: np.ndarray, columns: float, streams: Streams) -> np.ndarray:
    """Invert this number of columns at the left edge and at the right edge."""
    striped = images.copy()
    for part in (slice(0, int(columns)), slice(SIDE - int(columns), SIDE)):
        striped[:, :, part] = 255 - striped[:, :, part]
    return striped


def spatter(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Mud splashes, a quarter as dark as ink, on the highest `percent` of smoothed noise.

    The splashes are blurred, and only their inner parts (above 0.8) are kept.
    """
    noise = streams.normal(SIDE, SIDE)
    threshold = np.float32(NormalDist().inv_cdf(1 - percent / 100)) * blurred_deviation(1.0)
    mud = np.empty_like(noise)
    for field, target in zip(noise, mud, strict=True):
        smooth = cv2.GaussianBlur(field, (0, 0), 1.0)
        cv2.GaussianBlur((smooth > threshold).astype(np.float32), (0, 0), 1.5, dst=target)
    mud[mud < 0.8] = 0
    return as_grey(images * (1 - mud) + 63 * mud)


def occlusion(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Cover a square of `pixels` per side, near the middle of the page, in a random grey."""
    corner = (streams.uniform(8, 20, 2) - np.float32(pixels / 2)).round()[:, :, None]
    shade = streams.uniform(0, 255).round().astype(np.uint8)[:, None, None]
    position = np.arange(SIDE)
    covered = (position >= corner) & (position < corner + pixels)
    return np.where(covered[:, 0, :, None] & covered[:, 1, None, :], shade, images)
