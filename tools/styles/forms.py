"""Digits and shapes drawn from `forms.txt`, and scribbles and taps; `pen.images` draws them in different hands."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.styles.pen import curve, draw_line, in_frame

Drawing = Callable[[np.random.Generator], list[np.ndarray]]
# The page's canvas and its default pen, in pixels.
CANVAS, PEN = 280, 20


def read_forms() -> dict[str, Drawing]:
    """The forms of `forms.txt` by name, in its order; those whose name begins with a digit are that digit."""
    variants: dict[str, list] = {}
    for line in Path(__file__).with_name("forms.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, strokes, *rest = line.split()
            points = {rest[at]: np.array(rest[at + 1 : at + 5], float) / 100 for at in range(0, len(rest), 5)}
            variants.setdefault(name, []).append((strokes.split(","), points))
    return {name: _drawing(of_name) for name, of_name in variants.items()}


def _drawing(variants: list[tuple[list[str], dict[str, np.ndarray]]]) -> Drawing:
    def draw(rng: np.random.Generator) -> list[np.ndarray]:
        strokes, points = variants[rng.integers(len(variants))]
        placed = {name: point[:2] + rng.uniform(-1, 1, 2) * point[2:] for name, point in points.items()}
        return [
            _ellipse(placed[stroke[1]], placed[stroke[2]], rng)
            if stroke.startswith("(")
            else curve([placed[name] for name in stroke])
            for stroke in strokes
        ]

    return draw


def _ellipse(corner: np.ndarray, opposite: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An ellipse between two corners of its box: anticlockwise from about the top, once round."""
    angles = np.radians(rng.uniform(-110, -20) - np.linspace(0, rng.uniform(345, 380), 48))
    return (corner + opposite) / 2 + np.column_stack([np.cos(angles), np.sin(angles)]) * (opposite - corner) / 2


def _tangle(rng: np.random.Generator) -> list[np.ndarray]:
    return [curve(rng.uniform(0, 1, (rng.integers(8, 18), 2)))]


def _hatching(rng: np.random.Generator) -> list[np.ndarray]:
    lines = rng.integers(6, 14)
    zigzag = np.column_stack([np.linspace(0, 1, lines), np.arange(lines) % 2])
    return [curve(zigzag + rng.normal(0, 0.06, zigzag.shape))]


def _crossing_out(rng: np.random.Generator) -> list[np.ndarray]:
    return [curve(rng.uniform(0, 1, (rng.integers(2, 4), 2))) for _ in range(rng.integers(4, 8))]


def _loops(rng: np.random.Generator) -> list[np.ndarray]:
    turns = rng.integers(3, 6)
    angles = np.linspace(0, 2 * np.pi * turns, 40 * turns)
    x = rng.uniform(0.04, 0.08) * angles + 0.35 * np.cos(angles)
    return [np.column_stack([x, rng.uniform(0.35, 0.6) * np.sin(angles)])]


SCRIBBLES: dict[str, Drawing] = {
    "tangle": _tangle,
    "hatching": _hatching,
    "crossing-out": _crossing_out,
    "loops": _loops,
}


def taps(count: int, rng: np.random.Generator) -> np.ndarray:
    """Dots, and dashes that aren't upright, on the page's canvas, enlarged as digits are: uint8 (count, 28, 28)."""
    made = []
    for _ in range(count):
        start = rng.uniform(0.15, 0.85, 2) * CANVAS
        length, angle = rng.uniform(0, 0.1) * CANVAS * rng.integers(0, 2), np.radians(rng.uniform(-50, 50))
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        made.append(
            in_frame(draw_line(np.zeros((CANVAS, CANVAS), np.uint8), [start, end], PEN * rng.uniform(0.4, 1.5)))
        )
    return np.array(made)
