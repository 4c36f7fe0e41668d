"""Marks on the page beside the digit, or over it."""

from itertools import pairwise
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
    first, last = np.floor(streams.uniform(0, SIDE - 1, 2)).T
    drawn = np.arange(SIDE) % 4 >= 2
    return as_grey(images + np.float32(2.55 * percent) * _line(0, first, SIDE - 1, last) * drawn)


def zigzag(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """A zigzag across the page, `percent` as dark as ink: amplitude 2 pixels, 4 pixels between turns."""
    left, right = 2, 25
    first = np.floor(streams.uniform(0, SIDE - 1))
    slope = np.floor(streams.uniform(-5, 5)) / (right - left)
    length = (right - left) * np.sqrt(1 + slope**2)
    # The odd end of the last segment is MNIST-C's.
    turns = [(0, 0), *((4 * turn + 2, 2 - turn % 2 * 4) for turn in range(6)), (length, -1 / (length - 20))]
    cosine = (right - left) / length
    corners = [(left + cosine * (x - slope * y), first + cosine * (slope * x + y)) for x, y in turns]
    ink = sum(_line(*start, *end) for start, end in pairwise(corners))
    return as_grey(images + np.float32(2.55 * percent) * np.minimum(ink, 1))


def _line(left: np.ndarray | int, first: np.ndarray, right: np.ndarray | int, last: np.ndarray) -> np.ndarray:
    """Lines drawn as in MNIST-C, from columns and rows (N,) to others: ink from 0 to 1, (N, 28, 28)."""
    left, first, right, last = (np.reshape(each, (-1, 1, 1)) for each in (left, first, right, last))
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    above = np.abs(rows - first - (last - first) / (right - left) * (columns - left))
    inked = (columns >= np.floor(left)) & (columns < np.ceil(right))
    return np.maximum(1 + np.log(1 - np.minimum(above, 2) / np.float32(2.3)), 0) * inked


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
    replicate = cv2.BORDER_REPLICATE
    threshold = np.float32(NormalDist().inv_cdf(1 - percent / 100)) * blurred_deviation(1.0, replicate)
    mud = np.empty_like(noise)
    for field, target in zip(noise, mud, strict=True):
        smooth = cv2.GaussianBlur(field, (0, 0), 1.0, borderType=replicate)
        above = (smooth > threshold).astype(np.float32)
        cv2.GaussianBlur(above, (0, 0), 1.5, dst=target, borderType=replicate)
    mud[mud < 0.8] = 0
    return as_grey(images * (1 - mud) + 63 * mud)


def occlusion(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Cover a square of `pixels` per side, near the middle of the page, in a random grey."""
    corner = (streams.uniform(8, 20, 2) - np.float32(pixels / 2)).round()[:, :, None]
    shade = streams.uniform(0, 255).round().astype(np.uint8)[:, None, None]
    position = np.arange(SIDE)
    covered = (position >= corner) & (position < corner + pixels)
    return np.where(covered[:, 0, :, None] & covered[:, 1, None, :], shade, images)
