"""Marks on the page that aren't the digit, or hide it."""

from statistics import NormalDist

import cv2
import numpy as np

from digits.corruptions.pixels import as_grey, blurred_deviation, darken
from digits.corruptions.streams import Streams
from digits.images import SIDE


def ruled_paper(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Rule the paper: lines 6 to 9 pixels apart, `percent` as dark as ink."""
    return darken(images, np.float32(percent / 100) * _ruling(streams, 6, 9)[:, :, None])


def squared_paper(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Print squares on the paper: lines 5 to 7 pixels apart both ways, `percent` as dark as ink."""
    spacing = streams.uniform(5, 7)
    down, across = (_ruling(streams, spacing, spacing) for _ in range(2))
    return darken(images, np.float32(percent / 100) * np.maximum(down[:, :, None], across[:, None, :]))


def _ruling(streams: Streams, closest: float | np.ndarray, widest: float | np.ndarray) -> np.ndarray:
    """How much of a line each row has, float32 (N, 28): lines about a pixel thick, so far apart, anywhere."""
    spacing = (closest + (widest - closest) * streams.uniform(0, 1))[:, None]
    place = np.arange(SIDE, dtype=np.float32) + spacing * streams.uniform(0, 1)[:, None]
    from_line = np.abs((place + spacing / 2) % spacing - spacing / 2)
    return np.clip(1 - from_line, 0, 1)


def dotted_line(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Draw a dashed line across the page, `percent` as dark as ink: two columns drawn, two left out."""
    left, right = streams.uniform(0, SIDE - 1, 2).T[..., None, None]
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    above = rows - left - (right - left) * columns / (SIDE - 1)
    drawn = (columns % 4 >= 2) & (columns < SIDE - 1)
    return as_grey(images + np.float32(2.55 * percent) * _line(above) * drawn)


def zigzag(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Draw a zigzag across the page, `percent` as dark as ink: amplitude 2 pixels, 4 pixels between turns."""
    first, last = 2, 25
    start = streams.uniform(0, SIDE - 1)[:, None, None]
    slope = streams.uniform(-5, 5)[:, None, None] / (last - first)
    length = np.sqrt(1 + slope**2)
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    along = ((columns - first) + slope * (rows - start)) / length
    beside = ((rows - start) - slope * (columns - first)) / length
    # A triangle wave: 0 at its start, 2 after 2 pixels, -2 after 6.
    wave = np.abs((along + 6) % 8 - 4) - 2
    inside = (along >= 0) & (along <= (last - first) * length)
    return as_grey(images + np.float32(2.55 * percent) * _line(beside - wave) * inside)


def _line(above: np.ndarray) -> np.ndarray:
    """The ink, 0 to 1, so many pixels above or below a line; at half height as wide as MNIST-C's lines."""
    return np.clip(np.float32(1.4) - np.abs(above), 0, 1)


def stripe(images: np.ndarray, columns: float, streams: Streams) -> np.ndarray:
    """Invert so many columns at the left edge and at the right edge."""
    striped = images.copy()
    for part in (slice(0, int(columns)), slice(SIDE - int(columns), SIDE)):
        striped[:, :, part] = 255 - striped[:, :, part]
    return striped


def spatter(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Splash mud of a quarter of ink's darkness on the page: where smoothed noise is among its highest `percent`.

    The splashes are softened, and only their inner parts (above 0.8) stay.
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
    """Cover a square of `pixels` a side, of any grey, somewhere on the middle of the page."""
    corner = (streams.uniform(8, 20, 2) - np.float32(pixels / 2)).round()[:, :, None]
    shade = streams.uniform(0, 255).round().astype(np.uint8)[:, None, None]
    place = np.arange(SIDE)
    covered = (place >= corner) & (place < corner + pixels)
    return np.where(covered[:, 0, :, None] & covered[:, 1, None, :], shade, images)
