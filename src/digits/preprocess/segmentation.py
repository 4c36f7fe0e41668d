"""Segment the ink on a picture into digits of about one size, and put them in reading order."""

from dataclasses import dataclass

import cv2
import numpy as np

from digits.preprocess import Prepared
from digits.preprocess.frame import set_in_frame
from digits.preprocess.ink import Ink
from digits.preprocess.layout import JOINED_WIDTH, around, join_parts, rows_of
from digits.preprocess.parts import LEAST_DARKNESS, lies_along_the_border

# A part that touches the picture's border and is paler than this fraction of the digits' darkness is a shadow.
DARKNESS_AT_BORDER = 0.85
# Digits below this height in pixels can't be distinguished from specks.
LEAST_HEIGHT = 8
# More parts than the first are noise or a page of text; so are more than the second per digit plus the third.
MOST_PARTS, MOST_PARTS_EACH, SOME_PARTS = 300, 3, 6
# Fractions of the digits' typical height, as are all lengths below: smaller parts are specks, and lower ones are dots
# and dashes. A part whose width is more than the last number times its height is a line.
SPECK, LOW, LONG = 0.12, 0.4, 6
# A single digit is broken into at most this many pieces, with gaps of at most this fraction of its height.
MOST_PIECES, BREAK = 4, 0.08
# A digit may be two if it is wider than this times its height; it is odd if it is higher or lower than these.
WIDE, HIGH, TINY = 1.25, 1.9, 0.5
# Touching digits are cut where the ink is at most this thick, if both halves are at least this high. The cut is sought
# at least this fraction of the width away from either side.
WAIST, CUT_HEIGHT, CUT_SIDE = 0.25, 0.65, 0.25
NO_DIGITS = "there are no digits on it, only specks or lines"
# A mark beside digits, such as a minus, is at most this wide, at most this far beyond or into a digit's height and
# width, and at most this far from it.
LONGEST_MARK, MARK_REACH, MARK_GAP = 1.3, 0.15, 1.5
MARK = "too low for a digit: a minus, a point or a dash"
CUT = "cut apart where two digits seemed to touch"
# Pixels of paper kept around a digit when it is cut out.
MARGIN = 2


@dataclass(frozen=True)
class FoundDigit:
    """A digit found on a picture, or a mark beside one that is none.

    Attributes:
        box: left, top, width and height in pixels of the picture.
        row: index of its row, from 0 at the top.
        prepared: the preprocessed digit.
        doubt: why it may not be a single digit, in a few words; empty if there is no reason to doubt it.
        is_digit: False for a mark that is too low to be a digit: a minus, a decimal point.
    """

    box: tuple[int, int, int, int]
    row: int
    prepared: Prepared
    doubt: str = ""
    is_digit: bool = True


def segment(ink: Ink) -> list[FoundDigit]:
    """The digits of which a picture's ink consists, and marks beside them, in reading order.

    Raises:
        ValueError: nothing could be a digit.
    """
    labels, parts, boxes, typical_height = _digit_sized(ink)
    parts, boxes, is_cut = _cut_apart(labels, parts, boxes, typical_height)
    groups = join_parts(boxes, typical_height)
    edges = np.array([around(boxes[group]) for group in groups])
    width, height = (edges[:, 2:] - edges[:, :2]).T
    is_digit = (height >= LOW * typical_height) & (width <= LONG * height)
    kept = np.flatnonzero(is_digit)
    if len(kept) == 0 or len(parts) > MOST_PARTS_EACH * len(kept) + SOME_PARTS:
        raise ValueError(NO_DIGITS)
    found = []
    rows = [kept[indices].tolist() for indices in rows_of(edges[kept])]
    for mark in np.flatnonzero(~is_digit & (width <= LONGEST_MARK * typical_height)).tolist():
        _add_mark(rows, mark, edges, typical_height)
    for row, indices in enumerate(rows):
        for index in indices:
            prepared = _prepare(ink, labels, parts[groups[index]], edges[index])
            left, top, right, bottom = (edges[index] + np.tile(ink.origin, 2)).tolist()
            doubt = CUT if is_cut[groups[index]].any() else _doubt(edges[index], typical_height)
            box = (left, top, right - left, bottom - top)
            found.append(FoundDigit(box, row, prepared, doubt if is_digit[index] else MARK, bool(is_digit[index])))
    return found


def _add_mark(rows: list[list[int]], mark: int, edges: np.ndarray, typical_height: float) -> None:
    """Put a mark at its place in the row of digits that it is in, if it is in one."""
    left, top, right, bottom = edges[mark]
    for row in rows:
        nearest = min(row, key=lambda index: max(edges[index, 0] - right, left - edges[index, 2]))
        gap = max(edges[nearest, 0] - right, left - edges[nearest, 2])
        reach = MARK_REACH * typical_height
        # Neither beyond the row nor above or below a digit.
        beside = edges[nearest, 1] - reach <= (top + bottom) / 2 <= edges[nearest, 3] + reach
        if beside and -reach <= gap <= MARK_GAP * typical_height:
            row.append(mark)
            row.sort(key=lambda index: edges[index, 0] + edges[index, 2])
            return


def _digit_sized(ink: Ink) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The connected parts that may be a digit or a piece of one.

    Returns:
        All parts' labels (height, width), the labels of those kept (parts,), their left, top, right and bottom edges
        (parts, 4), and the typical height of a digit in pixels.
    """
    count, labels, stats, centres = cv2.connectedComponentsWithStats(ink.mask, connectivity=8)
    if count == 1:
        raise ValueError(NO_DIGITS)
    areas = stats[:, cv2.CC_STAT_AREA].astype(float)
    mean_darkness = np.bincount(labels.ravel(), ink.darkness.ravel(), count) / areas
    edges = np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:4]], axis=1)
    height, width = labels.shape
    # A small digit near the border also lies in the margin, but doesn't touch the border.
    touches = (edges[:, :2] <= 1).any(axis=1) | (edges[:, 2] >= width - 1) | (edges[:, 3] >= height - 1)
    is_digit = np.concatenate([[False], ~(lies_along_the_border(labels, stats, centres) & touches[1:])])
    if not is_digit.any():
        is_digit[1:] = True
    heights = stats[:, cv2.CC_STAT_HEIGHT]
    # Weighted by area, so that a hundred specks don't make the digits look large.
    typical_height, typical_darkness = (
        float(np.quantile(values[is_digit], 0.5, weights=areas[is_digit], method="inverted_cdf"))
        for values in (heights, mean_darkness)
    )
    widths = stats[:, cv2.CC_STAT_WIDTH]
    is_digit &= np.maximum(widths, heights) >= SPECK * typical_height
    # A line close to several digits would join them.
    is_digit &= (widths <= LONGEST_MARK * typical_height) | (heights >= LOW * typical_height)
    is_digit &= mean_darkness >= np.where(touches, DARKNESS_AT_BORDER, LEAST_DARKNESS) * typical_darkness
    if typical_height < LEAST_HEIGHT or is_digit.sum() > MOST_PARTS:
        raise ValueError(NO_DIGITS)
    chosen = np.flatnonzero(is_digit)
    return labels, chosen, edges[chosen], max(typical_height, _broken_height(edges[chosen]))


def _broken_height(boxes: np.ndarray) -> float:
    """The height of all parts together if they may be one broken digit, else 0."""
    if not 1 < len(boxes) <= MOST_PIECES:
        return 0
    width, height = (boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)).tolist()
    top_down = boxes[np.argsort(boxes[:, 1])]
    gaps = top_down[1:, 1] - np.maximum.accumulate(top_down[:, 3])[:-1]
    return height if width <= JOINED_WIDTH * height and gaps.max() <= BREAK * height else 0


def _cut_apart(
    labels: np.ndarray, parts: np.ndarray, boxes: np.ndarray, typical_height: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut parts that are too wide for one digit where their ink is thinnest; right halves get new labels in `labels`.

    Returns:
        The parts' labels (parts,), their edges (parts, 4), and which of them are the result of a cut (parts,).
    """
    part_labels, edges, is_cut = list(parts), list(boxes), [False] * len(parts)
    # With only one or two parts, the typical height is too uncertain to judge a width by.
    for number, (left, top, right, bottom) in enumerate(boxes) if len(boxes) > 2 else ():
        width = right - left
        if width <= WIDE * max(bottom - top, typical_height):
            continue
        piece = labels[top:bottom, left:right] == parts[number]
        side = int(CUT_SIDE * width)
        # Two strokes, one above the other, are the two sides of a loop.
        strokes = np.diff(piece, axis=0, prepend=False).sum(axis=0) / 2
        thickness = np.where(strokes <= 1, piece.sum(axis=0), np.inf)
        waist = side + int(thickness[side : width - side].argmin())
        halves = np.array([_edges(piece[:, :waist]), _edges(piece[:, waist:])])
        heights = halves[:, 3] - halves[:, 1]
        if thickness[waist] <= WAIST * typical_height and heights.min() >= CUT_HEIGHT * typical_height:
            new = int(labels.max()) + 1
            labels[top:bottom, left + waist : right][piece[:, waist:]] = new
            part_labels.append(new)
            halves += np.array([[left, top, left, top], [left + waist, top, left + waist, top]])
            edges[number] = halves[0]
            edges.append(halves[1])
            is_cut[number] = True
            is_cut.append(True)
    return np.array(part_labels), np.array(edges), np.array(is_cut)


def _edges(mask: np.ndarray) -> np.ndarray:
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return np.array([left, top, left + width, top + height])


def _prepare(ink: Ink, labels: np.ndarray, parts: np.ndarray, edges: np.ndarray) -> Prepared:
    left, top, right, bottom = edges.tolist()
    cut = slice(max(0, top - MARGIN), bottom + MARGIN), slice(max(0, left - MARGIN), right + MARGIN)
    mask = np.isin(labels[cut], parts).astype(np.uint8)
    image, steps = set_in_frame(ink.darkness[cut], mask)
    found = f"found ink in {right - left}×{bottom - top} pixels at ({left + ink.origin[0]}, {top + ink.origin[1]})"
    return Prepared(image, (*ink.steps, found, *steps))


def _doubt(edges: np.ndarray, typical_height: float) -> str:
    width, height = (edges[2:] - edges[:2]).tolist()
    if width > WIDE * max(height, typical_height):
        return "perhaps two digits that touch"
    if height > HIGH * typical_height:
        return "much larger than the others"
    return "much smaller than the others" if height < TINY * typical_height else ""
