"""Families of augmentation that add marks to the page: stray lines and erased rectangles."""

import cv2
import numpy as np

from digits.augmentation.shape import SUBPIXEL_BITS
from digits.images import SIDE


def draw_lines(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one to three random lines of 2 to 12 points on each image, uint8 (N, 28, 28), in ink or in paper."""
    drawn = images.copy()
    for target in drawn:
        for _ in range(rng.integers(1, 4)):
            points = rng.integers(2, 13)
            # The steps point roughly in one direction, so that a line crosses the page and doesn't tangle.
            heading = rng.uniform(0, 2 * np.pi) + rng.normal(0, rng.uniform(0, 1.2), points)
            steps = rng.uniform(2, rng.uniform(3, 10), points)[:, None] * np.stack(
                [np.cos(heading), np.sin(heading)], axis=1
            )
            walk = rng.uniform(0, SIDE, 2) + np.cumsum(steps, axis=0) - steps.sum(axis=0) / 2
            layer = np.zeros((SIDE, SIDE), np.uint8)
            cv2.polylines(
                layer,
                [np.round(walk * 2**SUBPIXEL_BITS).astype(np.int32)],
                False,
                int(rng.integers(80, 256)),
                int(rng.integers(1, 4)),
                cv2.LINE_AA,
                SUBPIXEL_BITS,
            )
            (cv2.subtract if rng.random() < 0.2 else cv2.add)(target, layer, dst=target)
    return drawn


def erase(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fill a random rectangle of each image, uint8 (N, 28, 28), with one grey level, or invert it.

    Its area is 2 to 33 % of the page and its aspect ratio 0.3 to 3.3 (Zhong et al. 2020); it may lie partly outside.
    """
    erased = images.copy()
    count = len(images)
    area, aspect = rng.uniform(0.02, 0.33, count) * SIDE**2, np.exp(rng.uniform(-1.2, 1.2, count))
    sizes = np.stack([np.sqrt(area * aspect), np.sqrt(area / aspect)], axis=1).round().astype(int)
    centres = rng.integers(0, SIDE, (count, 2))
    greys = np.where(rng.random(count) < 0.5, 0, rng.integers(0, 256, count))
    inverted = rng.random(count) < 0.5
    for target, size, centre, grey, invert in zip(erased, sizes, centres, greys, inverted, strict=True):
        (top, left), (bottom, right) = np.maximum(0, centre - size // 2), centre + (size + 1) // 2
        part = target[top:bottom, left:right]
        part[:] = 255 - part if invert else grey
    return erased
