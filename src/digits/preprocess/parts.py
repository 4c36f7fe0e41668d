"""Choose the connected parts of the ink that belong to the digit."""

from collections.abc import Iterator

import cv2
import numpy as np

# Smaller parts are specks: a fraction of the area of the digit's main part.
LEAST_AREA = 1 / 100
# Parts further away don't belong to the digit: a fraction of the size of its main part.
LARGEST_GAP = 0.25
# Paler parts are not of the same ink: a fraction of the main part's mean darkness.
LEAST_DARKNESS = 0.5
# Other readings add or drop parts of more than this fraction of the digit, and allow this gap and this darkness.
DOUBTFUL_AREA, DOUBTFUL_GAP, DOUBTFUL_DARKNESS = 0.04, 0.8, 0.15
WITHOUT_PARTS = "read without the parts that don't touch"
# Parts that lie mostly in the picture's margin, a fraction of its side, are clutter if there are others.
MARGIN = 0.06


def digit_parts(
    mask: np.ndarray,
    darkness: np.ndarray,
    largest_gap: float = LARGEST_GAP,
    least_area: float = LEAST_AREA,
    least_darkness: float = LEAST_DARKNESS,
) -> tuple[np.ndarray, int]:
    """Keep the largest dark part that isn't clutter along the border, and the parts near it, such as the bar of a 5.

    Args:
        mask: uint8 (height, width), 1 on ink, 0 elsewhere; not empty.
        darkness: uint8 (height, width), the ink's darkness, 255 the darkest.
        largest_gap: between parts, a fraction of the size of the main part.
        least_area, least_darkness: of the other parts, fractions of the main part's.

    Returns:
        The digit's mask, uint8 (height, width), and the number of parts that were removed.
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
    largest_gap *= max(box[2:] - box[:2])
    candidates = (
        ~chosen
        & ~is_clutter
        & (areas >= least_area * areas[main])
        & (mean_darkness >= least_darkness * mean_darkness[main])
    )
    while (near := candidates & (_gaps(boxes, box) <= largest_gap)).any():
        chosen |= near
        candidates &= ~near
        box = np.concatenate([boxes[chosen, :2].min(axis=0), boxes[chosen, 2:].max(axis=0)])
    is_digit = np.concatenate([[False], chosen])
    return is_digit[labels.astype(np.intp)].astype(np.uint8), int(count - 1 - chosen.sum())


def doubtful_parts(mask: np.ndarray, chosen: np.ndarray, darkness: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """Plausible choices of parts other than that of `digit_parts`, each with a description in a few words.

    Args:
        mask: uint8 (height, width), 1 on ink and on what may be faint ink.
        chosen: uint8 (height, width), the digit's mask.
        darkness: uint8 (height, width), the ink's darkness, 255 the darkest.
    """
    least = DOUBTFUL_AREA * cv2.countNonZero(chosen)
    more, _ = digit_parts(mask, darkness, DOUBTFUL_GAP, DOUBTFUL_AREA, DOUBTFUL_DARKNESS)
    if cv2.countNonZero(cv2.subtract(more, chosen)) > least:
        yield cv2.max(more, chosen), "read with fainter or more distant parts"
    main, _ = digit_parts(chosen, darkness, -np.inf)
    if cv2.countNonZero(cv2.subtract(chosen, main)) > least:
        yield main, WITHOUT_PARTS


def _gaps(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The distance of each box, (boxes, 4), from `box`, in pixels, along the axis on which they are further apart."""
    return np.concatenate([box[:2] - boxes[:, 2:], boxes[:, :2] - box[2:]], axis=1).max(axis=1)


def lies_along_the_border(labels: np.ndarray, stats: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Which parts lie along the picture's border, as a desk, another sheet or a vignette does.

    Args:
        labels, stats, centres: from `cv2.connectedComponentsWithStats`, with the paper as part 0.

    Returns:
        bool (parts,), without the paper.
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
