"""Which parts of the ink are the digit: not specks, not a desk's edge; but the bar of a 5 that doesn't touch it."""

import cv2
import numpy as np

# Smaller parts are specks: a share of the digit's area.
LEAST_AREA = 1 / 100
# Parts further away than this don't belong to the digit: a share of its size.
LARGEST_GAP = 0.25
# Parts paler than this aren't of the same ink.
LEAST_DARKNESS = 0.5
# The picture's margin, a share of its side: what lies in it mostly is no digit if there is something else.
MARGIN = 0.06


def digit_parts(mask: np.ndarray, darkness: np.ndarray) -> tuple[np.ndarray, int]:
    """Choose the digit's connected parts: the largest dark one that isn't clutter at the border, and what is near it.

    Args:
        mask: uint8 (height, width), 1 where there is ink, somewhere.
        darkness: uint8 (height, width), how dark it is.

    Returns:
        The mask of the digit alone, and how many parts were left out.
    """
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    mean_darkness = np.bincount(labels.ravel(), darkness.ravel(), count)[1:] / areas
    is_clutter = lies_along_the_border(labels, stats, centres)
    # Left, top, right and bottom edges.
    boxes = np.concatenate([stats[1:, :2], stats[1:, :2] + stats[1:, 2:4]], axis=1)
    size = np.hypot(*stats[1:, 2:4].T)
    main = int(np.argmax(np.where(is_clutter, 0.1, 1) * size * mean_darkness))

    chosen = np.arange(count - 1) == main
    box = boxes[main]
    largest_gap = LARGEST_GAP * max(box[2:] - box[:2])
    candidates = (
        ~chosen & ~is_clutter & (areas >= LEAST_AREA * areas[main]) & (mean_darkness >= LEAST_DARKNESS * mean_darkness[main])
    )
    while (near := candidates & (_gaps(boxes, box) <= largest_gap)).any():
        chosen |= near
        candidates &= ~near
        box = np.concatenate([boxes[chosen, :2].min(axis=0), boxes[chosen, 2:].max(axis=0)])
    return np.concatenate([[False], chosen])[labels].astype(np.uint8), int(count - 1 - chosen.sum())


def _gaps(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """How far each of the boxes is from another, in pixels, along the axis on which it is further."""
    return np.concatenate([box[:2] - boxes[:, 2:], boxes[:, :2] - box[2:]], axis=1).max(axis=1)


def lies_along_the_border(labels: np.ndarray, stats: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Which parts lie along the picture's border as a desk, another sheet or a vignette do, bool (parts,).

    Args:
        labels, stats, centres: of the parts, as `cv2.connectedComponentsWithStats` gives them, the paper as part 0.
    """
    height, width = labels.shape
    count = len(stats)
    rows, columns = max(1, round(MARGIN * height)), max(1, round(MARGIN * width))
    inner = np.bincount(labels[rows : height - rows, columns : width - columns].ravel(), minlength=count)
    is_clutter = inner < 0.2 * stats[:, cv2.CC_STAT_AREA]
    x, y = centres.T
    for edge, distance in (
        (labels[0], y),
        (labels[-1], height - 1 - y),
        (labels[:, 0], x),
        (labels[:, -1], width - 1 - x),
    ):
        contact = np.bincount(edge, minlength=count)
        is_clutter |= (contact > 0.25 * len(edge)) & (distance < 0.3 * contact)
    return is_clutter[1:]
