"""Detect all digits on a picture, also small or faint ones on a large page, and those on a sheet on a desk."""

from dataclasses import replace

import cv2
import numpy as np

from digits.preprocess import prepare
from digits.preprocess.decoding import at_working_size
from digits.preprocess.faint import WITHOUT_LINES, find_faint_ink
from digits.preprocess.ink import Ink, find_ink
from digits.preprocess.layout import rows_of
from digits.preprocess.page import find_page
from digits.preprocess.segmentation import LEAST_HEIGHT, NO_DIGITS, FoundDigit, segment

# More pixels than this along a side aren't needed.
LARGEST_SIDE = 4000
# Larger pictures are scaled down to this size in pixels first: a page needs more than a single digit does. What is
# too faint or too small for it is then sought at the second size, for at most so many sizes of digits. Digits that are
# lower than the fourth are cut out of the picture as it is, with this fraction of their height as paper around them.
SIDE, FAINT_SIDE, MOST_SIZES, LOWEST, PAPER_AROUND = 1000, 2000, 4, 40, 0.2
# Faint ink covers at least this fraction of the box around a digit.
LEAST_INK = 0.02
# Dust is lower than this fraction of the highest digit and tiny, or about as wide as high, and ink fills at least the
# last fraction of the box around it.
DUST, SQUARE, FILLED = 1 / 3, 1.7, 0.6
# If ink covers more than the first fraction of the picture's border, it may be a shadow. The paper is then estimated in
# windows of the second fraction of the shorter side, limited by OpenCV to the third, in pixels.
SHADOW_BORDER, SHADOW_WINDOW, LARGEST_WINDOW = 0.01, 0.5, 201
# Strokes alone cover at most this fraction of a picture.
MOST_INK = 0.2


def find_digits(grey: np.ndarray) -> list[FoundDigit]:
    """Find the digits on a greyscale picture, uint8 (height, width), in reading order: row by row, left to right.

    Marks in a row of digits that are too low to be digits are among them. A sheet on a desk is rectified first.

    Raises:
        ValueError: the picture is blank, or nothing on it could be a digit.
    """
    if page := find_page(grey):
        found = _at_a_fitting_size(page.grey)
        return [replace(digit, box=_box(digit.box, page.to_picture)) for digit in found]
    return _at_a_fitting_size(grey)


def _at_a_fitting_size(grey: np.ndarray) -> list[FoundDigit]:
    """What is found at the usual size, then what is too faint or too small for it; small digits are cut from `grey`."""
    small = at_working_size(grey, SIDE)
    if small is grey:
        return segment(_find_ink(grey))
    try:
        found, reason = _placed(grey, segment(_find_ink(small)), small.shape), None
    except ValueError as error:
        found, reason = [], error
    ink = find_faint_ink(grey, FAINT_SIDE)
    ratio = max(ink.mask.shape) / max(grey.shape)
    is_lined = WITHOUT_LINES in ink.steps
    if is_lined or ink.mask.any():
        # At the usual size, what is left of printed lines, or noise, looks like strokes.
        found = [digit for digit in found if _on_mask(ink.mask, digit.box, ratio).mean() >= LEAST_INK]
    further = found
    for _ in range(MOST_SIZES):
        for digit in further:
            _on_mask(ink.mask, digit.box, ratio)[:] = 0
        try:
            further = _placed(grey, segment(ink), ink.mask.shape, 0 if is_lined else LOWEST)
        except ValueError:
            break
        found = found + further
    if not found:
        raise reason or ValueError(NO_DIGITS)
    highest = max(digit.box[3] for digit in found)
    found = [digit for digit in found if digit.box[3] > DUST * highest or not _is_dust(grey, digit.box)]
    edges = np.array([digit.box for digit in found])
    edges[:, 2:] += edges[:, :2]
    rows = rows_of(edges)
    return [replace(found[index], row=row) for row, indices in enumerate(rows) for index in indices]


def _placed(
    grey: np.ndarray, found: list[FoundDigit], shape: tuple[int, ...], lowest: int = LOWEST
) -> list[FoundDigit]:
    """Place what was found on a reduced picture, of this shape, on `grey`; low digits are cut out of `grey` again."""
    enlargement = np.diag([*np.array(grey.shape[::-1]) / shape[::-1], 1])
    placed = [replace(digit, box=_box(digit.box, enlargement)) for digit in found]
    return [
        _cut_out(grey, there) if there.is_digit and here.box[3] < lowest else there
        for here, there in zip(found, placed, strict=True)
    ]


def _is_dust(grey: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    """Whether what is in a box and much lower than others is a speck or a point: tiny, or a square or disc of ink."""
    around = _around(grey, box, 1)
    paper = np.median(np.concatenate([around[0], around[-1], around[:, 0], around[:, -1]]))
    difference = np.abs(around - paper)
    is_ink = (difference > difference.max() / 2).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(is_ink)
    share = is_ink[top : top + height, left : left + width].mean()
    is_full = max(width, height) < SQUARE * min(width, height) and float(share) > FILLED
    return is_full or max(width, height) < LEAST_HEIGHT


def _on_mask(mask: np.ndarray, box: tuple[int, int, int, int], scale: float) -> np.ndarray:
    """The part of a mask, of `scale` times a picture's size, around a box on the picture."""
    left, top, width, height = box
    margin = PAPER_AROUND / 2 * height
    edges = np.array([left - margin, top - margin, left + width + margin, top + height + margin]) * scale
    left, top, right, bottom = np.maximum(0, edges.round().astype(int)).tolist()
    return mask[top : bottom + 1, left : right + 1]


def _cut_out(grey: np.ndarray, digit: FoundDigit) -> FoundDigit:
    """A digit prepared from all of the picture's pixels around it."""
    try:
        return replace(digit, prepared=prepare(_around(grey, digit.box, round(PAPER_AROUND * digit.box[3]))))
    except ValueError:
        return digit


def _around(grey: np.ndarray, box: tuple[int, int, int, int], margin: int) -> np.ndarray:
    """The part of a picture in a box, with a margin in pixels."""
    left, top, width, height = box
    return grey[max(0, top - margin) : top + height + margin, max(0, left - margin) : left + width + margin]


def _box(box: tuple[int, int, int, int], homography: np.ndarray) -> tuple[int, int, int, int]:
    """The box around a box after a homography, float (3, 3)."""
    left, top, width, height = box
    corners = np.array([[[left, top], [left + width, top], [left + width, top + height], [left, top + height]]], float)
    moved = cv2.perspectiveTransform(corners, homography.astype(float))[0]
    start, end = moved.min(axis=0).round().astype(int).tolist(), moved.max(axis=0).round().astype(int).tolist()
    return (*start, max(1, end[0] - start[0]), max(1, end[1] - start[1]))


def is_one_piece(grey: np.ndarray) -> bool:
    """Whether a greyscale picture, uint8 (height, width), clearly shows a single piece of ink on uniform paper.

    This is ten times as fast as `find_digits`, for a page that must respond at once; False means only "not clearly".
    """
    _, mask = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    if mask.mean() > 0.5:
        mask = 1 - mask
    # A shadow or a bright spot can contain several digits.
    is_ink = mask.mean() < MOST_INK and not any(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return is_ink and cv2.connectedComponents(mask)[0] == 2


def _find_ink(grey: np.ndarray) -> Ink:
    """`find_ink`, repeated after evening out the light if a shadow seems to have been taken for ink."""
    ink = find_ink(grey)
    if _border_share(ink) > SHADOW_BORDER:
        window = min(LARGEST_WINDOW, round(SHADOW_WINDOW * min(grey.shape))) | 1
        # Most of a window is paper.
        paper = np.maximum(cv2.medianBlur(grey, window), 1).astype(np.float32)
        difference = grey * (np.median(paper) / paper) - np.median(paper)
        # For dark ink only. Where strokes hide the shadow's edge, the paper seems lighter than it is.
        if (difference**3).mean() < 0:
            evened = find_ink(cv2.convertScaleAbs(np.median(paper) + np.minimum(difference, 0)))
            if _border_share(evened) < _border_share(ink) / 2:
                return replace(evened, steps=("evened out the lighting", *evened.steps))
    return ink


def _border_share(ink: Ink) -> float:
    """The fraction of the picture's border that is ink."""
    return float(np.concatenate([ink.mask[0], ink.mask[-1], ink.mask[:, 0], ink.mask[:, -1]]).mean())
