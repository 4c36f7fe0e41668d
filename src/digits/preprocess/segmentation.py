"""Several digits on one picture: which parts of the ink are one digit, and the order in which people read them."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from digits.preprocess import Prepared
from digits.preprocess.files import at_working_size
from digits.preprocess.frame import set_in_frame
from digits.preprocess.ink import Ink, EnabledSteps, find_ink
from digits.preprocess.parts import LEAST_DARKNESS, lies_along_the_border

# Pictures are first brought to this size: a page of digits needs more pixels than a single one.
SIDE = 1000
# With more ink on the picture's border than this share of it, a shadow may be taken for ink. Then it is looked at in
# windows of that share of the shorter side, so many pixels at most (a limit of OpenCV's).
SHADOW_BORDER, SHADOW_WINDOW, LARGEST_WINDOW = 0.01, 0.5, 201
# What touches the picture's border is no digit if it is paler than this share of the digits, but a shadow.
DARKNESS_AT_BORDER = 0.85
# Lower digits can't be told from specks, in pixels.
LEAST_HEIGHT = 8
# More parts than this are noise, or a page of text; so are more than this for each digit, some specks apart.
MOST_PARTS, MOST_PARTS_EACH, SOME_PARTS = 300, 3, 6
# Shares of the digits' typical_height height: smaller parts are specks, lower ones dots and dashes. What is longer than so many
# times its height is a line.
SPECK, LOW, LONG = 0.12, 0.4, 6
# Parts of one digit: how far one is from the other when it lies above it, and when it is small and lies beside it.
GAP_ABOVE, GAP_BESIDE = 0.3, 0.12
# A digit alone is in at most so many pieces, so far apart at most, a share of its height.
MOST_PIECES, BREAK = 4, 0.08
# What is joined is no higher and no wider.
JOINED_HEIGHT, JOINED_WIDTH = 1.35, 1.1
# A part is small below this height, and lies above another one if it shares so much of the narrower one's width.
SMALL, SHARED_WIDTH = 0.55, 0.5
# A digit that is wider than high by this is perhaps two; one that is higher or lower than the others by that is odd.
WIDE, HIGH, TINY = 1.25, 1.9, 0.5
# Two digits are in one row if they share so much of the lower one's height.
SHARED_HEIGHT = 0.4
# Where digits touch the ink is this thin, and both are at least this high, shares of their typical_height height. That index is
# looked for in the middle, between this share of the width and the same on the other side.
WAIST, CUT_HEIGHT, CUT_SIDE = 0.25, 0.65, 0.25
NO_DIGITS = "there are no digits on it, only specks or lines"
CUT = "cut apart where two digits seemed to touch"
# A larger share of a picture is not only strokes.
MOST_INK = 0.2
# Paper kept around a digit when it is cut out.
MARGIN = 2


@dataclass(frozen=True)
class Found:
    """A digit that was found on a picture.

    Attributes:
        box: left, top, width and height in pixels of the picture as it came in.
        row: in which row it stands, from 0 at the top.
        prepared: the digit ready to be recognised.
        doubt: why it may be something else than one digit, in a few words; empty if nothing speaks for that.
    """

    box: tuple[int, int, int, int]
    row: int
    prepared: Prepared
    doubt: str = ""


def find_digits(grey: np.ndarray, enabled: EnabledSteps | None = None) -> list[Found]:
    """Find the digits on a grey picture, uint8 (height, width), in the order of reading: row by row, left to right.

    Args:
        enabled: the steps to take; all of them unless it is said.

    Raises:
        ValueError: nothing is drawn on it, or nothing that could be digits.
    """
    enabled = enabled or EnabledSteps()
    small = at_working_size(grey, SIDE)
    ink = _find_ink(small, enabled)
    labels, parts, boxes, typical_height = _digit_sized(ink)
    parts, boxes, is_cut = _cut_apart(labels, parts, boxes, typical_height)
    groups = _joined(boxes, typical_height)
    edges = np.array([_around(boxes[group]) for group in groups])
    width, height = (edges[:, 2:] - edges[:, :2]).T
    # Dots, dashes and lines are left out.
    kept = np.flatnonzero((height >= LOW * typical_height) & (width <= LONG * height))
    if len(kept) == 0 or len(parts) > MOST_PARTS_EACH * len(kept) + SOME_PARTS:
        raise ValueError(NO_DIGITS)
    scale = np.array(grey.shape[::-1]) / small.shape[::-1]
    found = []
    for row, indices in enumerate(_rows(edges[kept])):
        for index in kept[indices]:
            prepared = _prepare(ink, labels, parts[groups[index]], edges[index], enabled)
            start, end = ((edges[index].reshape(2, 2) + ink.origin) * scale).round().astype(int).tolist()
            box = (*start, max(1, end[0] - start[0]), max(1, end[1] - start[1]))
            doubt = CUT if is_cut[groups[index]].any() else _doubt(edges[index], typical_height)
            found.append(Found(box, row, prepared, doubt))
    return found


def is_one_piece(grey: np.ndarray) -> bool:
    """Whether a glance at a grey picture, uint8 (height, width), shows a single piece of ink on even paper.

    Ten times as quick as `find_digits`, for pages that can't wait; False says nothing.
    """
    _, mask = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    if mask.mean() > 0.5:
        mask = 1 - mask
    # A shadow or a spot of light can hold several digits.
    is_ink = mask.mean() < MOST_INK and not any(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return is_ink and cv2.connectedComponents(mask)[0] == 2


def _find_ink(grey: np.ndarray, enabled: EnabledSteps) -> Ink:
    """As `find_ink`, but once more in even light if a shadow seems to be taken for ink."""
    ink = find_ink(grey, enabled)
    if enabled.shadows and _border_share(ink) > SHADOW_BORDER:
        window = min(LARGEST_WINDOW, round(SHADOW_WINDOW * min(grey.shape))) | 1
        # Most of a window is paper.
        paper = np.maximum(cv2.medianBlur(grey, window), 1).astype(np.float32)
        difference = grey * (np.median(paper) / paper) - np.median(paper)
        # Of dark ink; where strokes hide the shadow's edge, paper seems lighter than it is.
        if (difference**3).mean() < 0:
            evened = find_ink(cv2.convertScaleAbs(np.median(paper) + np.minimum(difference, 0)), enabled)
            if _border_share(evened) < _border_share(ink) / 2:
                return replace(evened, steps=("evened out the light", *evened.steps))
    return ink


def _border_share(ink: Ink) -> float:
    """The share of the picture's border that is ink."""
    return float(np.concatenate([ink.mask[0], ink.mask[-1], ink.mask[:, 0], ink.mask[:, -1]]).mean())


def _digit_sized(ink: Ink) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The connected parts that may be a digit or a piece of one.

    Returns:
        All parts' labels (height, width), the labels of those kept (parts,), their left, top, right and bottom edges
        (parts, 4), and how high digits usually are here.
    """
    count, labels, stats, centres = cv2.connectedComponentsWithStats(ink.mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(float)
    mean_darkness = np.bincount(labels.ravel(), ink.darkness.ravel(), count) / areas
    edges = np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:4]], axis=1)
    height, width = labels.shape
    # A small digit near the border lies in the margin, too, but doesn't touch it.
    touches = (edges[:, :2] <= 1).any(axis=1) | (edges[:, 2] >= width - 1) | (edges[:, 3] >= height - 1)
    is_digit = np.concatenate([[False], ~(lies_along_the_border(labels, stats, centres) & touches[1:])])
    if not is_digit.any():
        is_digit[1:] = True
    heights = stats[:, cv2.CC_STAT_HEIGHT]
    # By area, so that a hundred specks don't make the digits look large.
    typical_height = _median(heights[is_digit], areas[is_digit])
    typical_darkness = _median(mean_darkness[is_digit], areas[is_digit])
    widths = stats[:, cv2.CC_STAT_WIDTH]
    is_digit &= np.maximum(widths, heights) >= SPECK * typical_height
    # A line that comes near to digits would join them.
    is_digit &= (widths <= typical_height) | (heights >= LOW * typical_height)
    is_digit &= mean_darkness >= np.where(touches, DARKNESS_AT_BORDER, LEAST_DARKNESS) * typical_darkness
    if typical_height < LEAST_HEIGHT or is_digit.sum() > MOST_PARTS:
        raise ValueError(NO_DIGITS)
    chosen = np.flatnonzero(is_digit)
    return labels, chosen, edges[chosen], max(typical_height, _broken_height(edges[chosen]))


def _broken_height(boxes: np.ndarray) -> float:
    """How high all parts are together if they may be one broken digit, else 0."""
    if not 1 < len(boxes) <= MOST_PIECES:
        return 0
    width, height = (boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)).tolist()
    top_down = boxes[np.argsort(boxes[:, 1])]
    gaps = top_down[1:, 1] - np.maximum.accumulate(top_down[:, 3])[:-1]
    return height if width <= JOINED_WIDTH * height and gaps.max() <= BREAK * height else 0


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _around(boxes: np.ndarray) -> np.ndarray:
    """The edges around several boxes, (boxes, 4)."""
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _cut_apart(
    labels: np.ndarray, parts: np.ndarray, boxes: np.ndarray, typical_height: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut parts that are too wide for one digit where their ink is thinnest; right halves get labels of their own.

    Returns:
        The parts' labels (parts,), their edges (parts, 4), and which of them come of a cut (parts,).
    """
    parts, boxes, is_cut = list(parts), list(boxes), [False] * len(parts)
    # Two digits tell too little of how wide the third may be.
    for number, (left, top, right, bottom) in enumerate(boxes) if len(boxes) > 2 else ():
        width = right - left
        if width <= WIDE * max(bottom - top, typical_height):
            continue
        piece = labels[top:bottom, left:right] == parts[number]
        side = int(CUT_SIDE * width)
        # Two strokes above each other are the two sides of a loop.
        strokes = np.diff(piece, axis=0, prepend=False).sum(axis=0) / 2
        thickness = np.where(strokes <= 1, piece.sum(axis=0), np.inf)
        waist = side + int(thickness[side : width - side].argmin())
        halves = np.array([_edges(piece[:, :waist]), _edges(piece[:, waist:])])
        heights = halves[:, 3] - halves[:, 1]
        if thickness[waist] <= WAIST * typical_height and heights.min() >= CUT_HEIGHT * typical_height:
            new = int(labels.max()) + 1
            labels[top:bottom, left + waist : right][piece[:, waist:]] = new
            parts.append(new)
            halves += np.array([[left, top, left, top], [left + waist, top, left + waist, top]])
            boxes[number] = halves[0]
            boxes.append(halves[1])
            is_cut[number] = True
            is_cut.append(True)
    return np.array(parts), np.array(boxes), np.array(is_cut)


def _edges(mask: np.ndarray) -> np.ndarray:
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return np.array([left, top, left + width, top + height])


def _joined(boxes: np.ndarray, typical_height: float) -> list[list[int]]:
    """Which parts are one digit each: the nearest two that may be are joined, until none may."""
    groups = [[index] for index in range(len(boxes))]
    boxes = boxes.astype(float)
    while len(groups) > 1:
        distances = _distances(boxes, typical_height)
        one, other = sorted(np.unravel_index(distances.argmin(), distances.shape))
        if not np.isfinite(distances[one, other]):
            break
        boxes[one] = _around(boxes[[one, other]])
        boxes = np.delete(boxes, other, axis=0)
        groups[one] += groups.pop(other)
    return groups


def _distances(boxes: np.ndarray, typical_height: float) -> np.ndarray:
    """How far parts of one digit are from each other, (parts, parts); infinite for those that aren't of one digit."""
    start, end = boxes[:, None, :2], boxes[:, None, 2:]
    # Along x and y, negative where they overlap.
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


def _rows(edges: np.ndarray) -> list[list[int]]:
    """Places of the digits, row by row from the top, each from left to right; rows may slope."""
    rows: list[list[int]] = []
    for index in np.argsort(edges[:, 0] + edges[:, 2], kind="stable").tolist():
        # Beside the last digit of its row, which is nearer than the first one where rows slope.
        lasts = edges[[row[-1] for row in rows]]
        shared = np.minimum(lasts[:, 3], edges[index, 3]) - np.maximum(lasts[:, 1], edges[index, 1])
        shared = shared / np.minimum(lasts[:, 3] - lasts[:, 1], edges[index, 3] - edges[index, 1])
        if len(rows) and shared.max() >= SHARED_HEIGHT:
            rows[int(shared.argmax())].append(index)
        else:
            rows.append([index])
    return sorted(rows, key=lambda row: edges[row][:, [1, 3]].mean())


def _prepare(ink: Ink, labels: np.ndarray, parts: np.ndarray, edges: np.ndarray, enabled: EnabledSteps) -> Prepared:
    left, top, right, bottom = edges.tolist()
    cut = slice(max(0, top - MARGIN), bottom + MARGIN), slice(max(0, left - MARGIN), right + MARGIN)
    mask = np.isin(labels[cut], parts).astype(np.uint8)
    image, steps = set_in_frame(ink.darkness[cut], mask, enabled.stroke)
    index = f"found ink in {right - left}×{bottom - top} pixels at ({left + ink.origin[0]}, {top + ink.origin[1]})"
    return Prepared(image, (*ink.steps, index, *steps))


def _doubt(edges: np.ndarray, typical_height: float) -> str:
    width, height = (edges[2:] - edges[:2]).tolist()
    if width > WIDE * max(height, typical_height):
        return "perhaps two digits that touch"
    if height > HIGH * typical_height:
        return "much larger than the others"
    return "much smaller than the others" if height < TINY * typical_height else ""
