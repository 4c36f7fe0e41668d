"""What lies on the page besides the digit, or hides it: stray lines, patches."""

import cv2
import numpy as np

from digits.augmentation.shape import SIDE

SUBPIXEL_BITS = 4


def draw_lines(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one to three random lines of 2 to 12 random points on each image: darker than the paper, or as paper."""
    drawn = images.copy()
    for target in drawn:
        for _ in range(rng.integers(1, 4)):
            points = rng.integers(2, 13)
            # A walk of steps that point roughly one way, so that a line leads across and not in a knot.
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


def patch(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cover one to three rectangles of each image by one grey, or turn ink and paper round in them."""
    patched = images.copy()
    for target in patched:
        for _ in range(rng.integers(1, 3)):
            # Narrow and wide, small and as long as the page; a corner may lie outside.
            height, width = rng.integers(3, 12, 2)
            stretched = rng.random()
            if stretched < 0.2:
                height = SIDE * 2
            elif stretched < 0.4:
                width = SIDE * 2
            top, left = (int(rng.integers(-extent // 2, SIDE - extent // 2)) for extent in (height, width))
            place = np.s_[max(0, top) : top + height, max(0, left) : left + width]
            if rng.random() < 0.5:
                target[place] = 255 - target[place]
            else:
                target[place] = rng.integers(0, 256) * (rng.random() < 0.5)
    return patched
