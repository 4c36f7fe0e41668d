"""Simulated writers: MNIST digits restyled as if one unfamiliar hand had drawn them, for studies of fine-tuning.

`python -m tools.simulated_writers` writes the sample in `my_digits`.

A writer bends, slants and stretches all digits in the same way, has a pen of one width, and forms each digit in its own
way, by a smooth distortion that is drawn once for each class.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from digits import data, paths
from digits.handwriting import collection

# Pixels of a drawing, and of it for each of MNIST's.
SIDE, ENLARGED = 280, 10
# Pixels around a drawing into which a bent digit may reach before it is moved back, and those left free in the end.
AROUND, FREE = 100, 10
KNOTS = 4
# How little of its area a spot of a digit may be left with by a writer's way of forming it.
LEAST_STRETCH = 0.25


@dataclass(frozen=True)
class Writer:
    """A hand's style; all lengths in pixels of MNIST's images.

    Attributes:
        slant: horizontal shear, pixels a pixel; positive leans to the right.
        turn: degrees anticlockwise.
        width: factor of the digits' width, their height being unchanged.
        pen: what is added to the stroke's width.
        shapes: displacements that form each digit, float (10, 2, knots, knots), smooth between the knots.
    """

    slant: float
    turn: float
    width: float
    pen: float
    shapes: np.ndarray


def imagine(rng: np.random.Generator, strength: float = 1.0) -> Writer:
    """Draw a writer's style; `strength` 0 is MNIST's own, 1 is far from it, but legible."""
    habit = rng.normal(0, 1.0, (2, KNOTS, KNOTS))
    return Writer(
        slant=strength * rng.choice([-1, 1]) * rng.uniform(0.2, 0.5),
        turn=strength * rng.uniform(-15, 15),
        width=float(np.exp(strength * rng.uniform(-0.4, 0.4))),
        pen=strength * rng.uniform(-1.5, 1.5),
        shapes=strength * np.stack([_shape(rng, habit) for _ in range(10)]),
    )


def _shape(rng: np.random.Generator, habit: np.ndarray) -> np.ndarray:
    """Displacements that form a digit; none that fold the plane, as no hand does to a stroke."""
    while True:
        shape = habit + rng.normal(0, 1.6, habit.shape)
        across, down = (cv2.resize(field, (28, 28), interpolation=cv2.INTER_CUBIC) for field in shape)
        (across_by_row, across_by_column), (down_by_row, down_by_column) = np.gradient(across), np.gradient(down)
        stretch = (1 + across_by_column) * (1 + down_by_row) - across_by_row * down_by_column
        if stretch.min() > LEAST_STRETCH:
            return shape


def draw(writer: Writer, images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Restyle digits.

    Args:
        images: uint8 (N, 28, 28), ink 255 on paper 0.
        labels: (N,), their classes.

    Returns:
        Drawings, each uint8 (280, 280), dark ink on white paper, as someone draws on a canvas.
    """
    maps = {int(digit): _map(writer, int(digit)) for digit in np.unique(labels)}
    return [_drawn(image, *maps[int(label)], writer.pen) for image, label in zip(images, labels, strict=True)]


def _map(writer: Writer, digit: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel of a drawing and around it comes from on the enlarged digit: columns and rows, float32."""
    centre = (SIDE - 1) / 2
    rows, columns = (grid - AROUND - centre for grid in np.indices((SIDE + 2 * AROUND,) * 2, np.float32))
    angle = np.radians(writer.turn)
    columns, rows = (
        np.cos(angle) * columns - np.sin(angle) * rows,
        np.sin(angle) * columns + np.cos(angle) * rows,
    )
    columns = (columns + writer.slant * rows) / writer.width
    across, down = (
        ENLARGED * np.pad(cv2.resize(field, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), AROUND, "edge")
        for field in writer.shapes[digit]
    )
    return (columns + across + centre).astype(np.float32), (rows + down + centre).astype(np.float32)


def _drawn(image: np.ndarray, columns: np.ndarray, rows: np.ndarray, pen: float) -> np.ndarray:
    large = cv2.resize(image.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    bent = cv2.remap(large, columns, rows, cv2.INTER_LINEAR)
    solid = (cv2.GaussianBlur(bent, (0, 0), ENLARGED / 4) > 110).astype(np.uint8)
    inside = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5)
    # A stroke never becomes thinner than the middle half of it.
    growth = max(pen / 2 * ENLARGED, -0.5 * float(np.percentile(inside[solid > 0], 75))) if solid.any() else 0
    ink = np.clip(inside - outside + growth + 0.5, 0, 1)
    return 255 - _centred((255 * ink).round().astype(np.uint8))


def _centred(ink: np.ndarray) -> np.ndarray:
    """A drawing with the ink in its middle, made smaller where it would not fit."""
    left, top, width, height = cv2.boundingRect(ink)
    cut = ink[top : top + height, left : left + width]
    if (scale := (SIDE - 2 * FREE) / max(width, height, 1)) < 1:
        cut = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    drawing = np.zeros((SIDE, SIDE), np.uint8)
    top, left = ((SIDE - side) // 2 for side in cut.shape)
    drawing[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return drawing


def write_sample(folder: Path = paths.MY_DIGITS / "sample", count: int = 12, seed: int = 17) -> None:
    """Write digits of an imagined writer as somebody's collection: `count` of each, from MNIST's validation digits."""
    validation = data.load_splits().validation
    places = np.concatenate([np.flatnonzero(validation.labels == digit)[:count] for digit in range(10)])
    labels = validation.labels[places]
    drawings = draw(imagine(np.random.default_rng(seed)), validation.images[places], labels)
    for drawing, label in zip(drawings, labels, strict=True):
        collection.save(drawing, int(label), folder)


if __name__ == "__main__":
    write_sample()
