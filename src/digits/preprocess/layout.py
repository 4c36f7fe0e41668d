"""Lay out the parts of a picture of several digits: which of them form a digit, and which digits a row."""

import numpy as np

# All lengths are fractions of the digits' typical height.
# Largest gaps between parts of one digit: one above the other, and a small one beside the other.
GAP_ABOVE, GAP_BESIDE = 0.3, 0.12
# Largest height and width of joined parts.
JOINED_HEIGHT, JOINED_WIDTH = 1.35, 1.1
# A part below this height is small. A part lies above another if they share this fraction of the narrower one's width.
SMALL, SHARED_WIDTH = 0.55, 0.5
# Two digits are in one row if they share this fraction of the lower one's height.
SHARED_HEIGHT = 0.4


def around(boxes: np.ndarray) -> np.ndarray:
    """The edges (4,) around several boxes, (boxes, 4)."""
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def join_parts(boxes: np.ndarray, typical_height: float) -> list[list[int]]:
    """Group parts into digits: join the closest two that may belong together until none do.

    Args:
        boxes: left, top, right and bottom edges in pixels, (parts, 4).
        typical_height: of a digit, in pixels.

    Returns:
        For each digit the indices of its parts.
    """
    groups = [[index] for index in range(len(boxes))]
    boxes = boxes.astype(float)
    while len(groups) > 1:
        distances = _distances(boxes, typical_height)
        one, other = sorted(np.unravel_index(distances.argmin(), distances.shape))
        if not np.isfinite(distances[one, other]):
            break
        boxes[one] = around(boxes[[one, other]])
        boxes = np.delete(boxes, other, axis=0)
        groups[one] += groups.pop(other)
    return groups


def _distances(boxes: np.ndarray, typical_height: float) -> np.ndarray:
    """Distances between parts that may belong to one digit, (parts, parts), in pixels; infinite for other pairs."""
    start, end = boxes[:, None, :2], boxes[:, None, 2:]
    # Gaps along x and y are negative where the boxes overlap.
    gap_x, gap_y = np.moveaxis(np.maximum(start, boxes[:, :2]) - np.minimum(end, boxes[:, 2:]), -1, 0)
    wide, high = np.moveaxis(np.maximum(end, boxes[:, 2:]) - np.minimum(start, boxes[:, :2]), -1, 0)
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    is_above = (-gap_x >= SHARED_WIDTH * np.minimum(width[:, None], width)) & (gap_y <= GAP_ABOVE * typical_height)
    is_beside = np.minimum(height[:, None], height) <= SMALL * typical_height
    is_beside &= np.maximum(gap_x, gap_y) <= GAP_BESIDE * typical_height
    is_one = (is_above | is_beside) & (high <= JOINED_HEIGHT * typical_height)
    is_one &= wide <= np.maximum(JOINED_WIDTH * typical_height, np.maximum(width[:, None], width) + 1)
    np.fill_diagonal(is_one, False)
    return np.where(is_one, np.maximum(gap_x, 0) + np.maximum(gap_y, 0), np.inf)


def rows_of(edges: np.ndarray) -> list[list[int]]:
    """Indices of the digits, row by row from the top, each row from left to right; rows may slope."""
    rows: list[list[int]] = []
    for index in np.argsort(edges[:, 0] + edges[:, 2], kind="stable").tolist():
        # Compare with the last digit of each row, which is nearer than the first where rows slope.
        lasts = edges[[row[-1] for row in rows]]
        shared = np.minimum(lasts[:, 3], edges[index, 3]) - np.maximum(lasts[:, 1], edges[index, 1])
        shared = shared / np.minimum(lasts[:, 3] - lasts[:, 1], edges[index, 3] - edges[index, 1])
        if len(rows) and shared.max() >= SHARED_HEIGHT:
            rows[int(shared.argmax())].append(index)
        else:
            rows.append([index])
    return sorted(rows, key=lambda row: edges[row][:, [1, 3]].mean())
