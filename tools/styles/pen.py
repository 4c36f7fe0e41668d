"""Draw strokes with a pen, in a hand that wobbles, slants and presses unevenly, and set them in MNIST's frame.

A stroke is float (N, 2), points (x, y) with y down; a digit is about one unit high.
"""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np

from digits.preprocess.frame import set_in_frame

# Ink darker than this is part of the digit.
LEAST_INK = 64
# Strokes are drawn this high, in pixels, within a margin; MNIST's digits are 20 pixels high.
HEIGHT, MARGIN = 160, 40
# Thinnest and thickest stroke, in pixels of the 28×28 image.
WIDTHS = 1.7, 3.3
STEPS_PER_SEGMENT = 16


def curve(points: np.ndarray | list) -> np.ndarray:
    """A Catmull-Rom spline through points, (M, 2); two points give a straight line."""
    knots = np.asarray(points, float)
    knots = np.concatenate([[2 * knots[0] - knots[1]], knots, [2 * knots[-1] - knots[-2]]])
    t = np.linspace(0, 1, STEPS_PER_SEGMENT, endpoint=False)[:, None]
    pieces = [
        start
        + 0.5 * t * (end - before)
        + t**2 * (before - 2.5 * start + 2 * end - 0.5 * after)
        + t**3 * (1.5 * (start - end) + 0.5 * (after - before))
        for before, start, end, after in zip(knots, knots[1:], knots[2:], knots[3:], strict=False)
    ]
    return np.concatenate([*pieces, knots[-2:-1]])


def images(
    drawing: Callable[[np.random.Generator], list[np.ndarray]],
    count: int,
    rng: np.random.Generator,
    wobble: float = 0.02,
    slant: float = 0.15,
    turn: float = 5,
) -> np.ndarray:
    """Draw the strokes that `drawing` gives `count` times, each time in another hand: uint8 (count, 28, 28).

    Args:
        wobble: standard deviation of the bends, in units of the strokes.
        slant: standard deviation of the slant, which leans to the right on average.
        turn: standard deviation of the rotation, degrees.
    """
    return np.array([_inked(_by_hand(drawing(rng), rng, wobble, slant, turn), rng) for _ in range(count)])


def in_frame(ink: np.ndarray) -> np.ndarray:
    """Set ink, uint8 (height, width), in MNIST's frame: uint8 (28, 28)."""
    return set_in_frame(ink, (ink > LEAST_INK).astype(np.uint8))[0]


def draw_line(ink: np.ndarray, points: np.ndarray | list, width: float) -> np.ndarray:
    """Draw a line with round joints through points, in pixels, on `ink`, uint8 (height, width), in place."""
    # Coordinates in sixteenths of a pixel.
    path = np.round(np.asarray(points) * 16).astype(int).tolist()
    for start, end in pairwise(path):
        cv2.line(ink, start, end, 255, max(1, round(width)), cv2.LINE_AA, 4)
    return ink


def _by_hand(
    strokes: list[np.ndarray], rng: np.random.Generator, wobble: float, slant: float, turn: float
) -> list[np.ndarray]:
    lean = np.clip(rng.normal(slant / 2, slant), -1.5 * slant, 2.5 * slant)
    aspect, angle = rng.uniform(0.8, 1.25), np.radians(np.clip(rng.normal(0, turn), -2 * turn, 2 * turn))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.array([[aspect, -lean], [0, 1]])
    # One field of bends for all strokes, so that strokes that meet still do.
    bends, phases = rng.normal(0, wobble, (3, 2)), rng.uniform(0, 2 * np.pi, (3, 2))
    frequencies = rng.uniform(-6, 6, (3, 2))
    return [
        (stroke + (bends * np.sin((stroke @ frequencies.T)[:, :, None] + phases)).sum(axis=1)) @ matrix.T
        for stroke in strokes
    ]


def _inked(strokes: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = HEIGHT / max(high - low)
    ink = np.zeros(np.ceil((high - low) * scale).astype(int)[::-1] + 2 * MARGIN, np.uint8)
    width = rng.uniform(*WIDTHS) * HEIGHT / 20
    for stroke in strokes:
        placed = (stroke - low) * scale + MARGIN
        # Pressure rises and falls slowly along a stroke.
        waves = rng.uniform(0.3, 1.2) * np.linspace(0, 1, len(placed)) + rng.random()
        pressure = 1 + rng.uniform(0, 0.18) * np.sin(2 * np.pi * waves)
        for start, end, press in zip(placed, placed[1:], pressure, strict=False):
            draw_line(ink, [start, end], width * press)
    return in_frame(cv2.GaussianBlur(ink, (0, 0), 2))
