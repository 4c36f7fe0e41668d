"""Find a sheet of paper that was photographed whole, or nearly so, on a desk, and rectify it."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from digits.preprocess.decoding import at_working_size

# The size in pixels at which a sheet is sought; all lengths below are in its pixels.
SIDE = 240
# Grey levels that differ less than this are of the same thing.
PLAIN = 20
# The sheet covers at least this fraction of the picture; the quadrilateral and the outline of what is light there have
# at least this fraction of their area in common, of which paper covers at least this fraction.
LEAST_AREA, LEAST_COMMON, LEAST_PAPER = 0.06, 0.945, 0.75
# Where more of the rest of the picture is as light as the sheet, the rest is paper, too, and the sheet is what the
# strokes of a tightly cropped digit enclose.
MOST_LIGHT = 0.25
# Its edges: the distances from them at which the sheet and the desk are compared, the least fraction of the sheet's
# brightness by which the desk is darker, and the least fraction of the edge along which it is.
NEAR, FAR, EDGE_CONTRAST, EDGE_SHARE = 4, 10, 0.08, 0.8
# The largest deviation of a side from the direction of a rectangle's, in degrees.
SKEW = 25
# Ink is narrower than the first and darker than the second fraction of the paper, and covers at least so many pixels.
INK_WIDTH, INK_CONTRAST, LEAST_INK = 25, 0.15, 8
# Cut off along the edges, with their shadows: a fraction of the sheet's side.
TRIM = 0.02


@dataclass(frozen=True)
class Page:
    """A rectified sheet.

    Attributes:
        grey: uint8 (height, width), the sheet alone.
        to_picture: from the sheet's pixels to the picture's, a homography, float (3, 3).
    """

    grey: np.ndarray
    to_picture: np.ndarray


def find_page(grey: np.ndarray) -> Page | None:
    """The sheet of paper on a greyscale picture, uint8 (height, width), as if scanned; None if there is no such sheet.

    A sheet is a quadrilateral, perhaps partly outside the picture, that is lighter than all around it, or darker, and
    has something written on it.
    """
    small = at_working_size(grey, SIDE)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    is_other = np.abs(small - np.median(border)) > PLAIN
    if min(small.shape) < 2 * INK_WIDTH or max(is_other.mean(), np.ptp(border) > 2 * PLAIN) < LEAST_AREA:
        return None
    small = cv2.medianBlur(small, 3)
    # Dark paper is rarer.
    found = list(_sheets(small)) or list(_sheets(255 - small))
    if not found:
        return None
    scale = np.array(grey.shape[::-1]) / small.shape[::-1]
    return _rectified(grey, (max(found, key=cv2.contourArea) + 0.5) * scale - 0.5)


def _sheets(picture: np.ndarray) -> Iterator[np.ndarray]:
    """The corners of what may be a sheet, if it is lighter than the desk, float32 (4, 2)."""
    low, high = np.percentile(picture, (2, 98))
    for level in np.linspace(low, high, 11)[1:-1]:
        light = cv2.morphologyEx((picture > level).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        for outline in cv2.findContours(light, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
            area, hull = cv2.contourArea(outline), cv2.convexHull(outline)
            if area >= max(LEAST_AREA * picture.size, LEAST_COMMON * cv2.contourArea(hull)):
                corners = _corners(hull, picture.shape)
                if corners is None or not _fills(light, outline, corners):
                    continue
                if _stands_out(picture, corners) and _is_written_on(picture, corners):
                    yield corners


def _corners(hull: np.ndarray, shape: tuple[int, int]) -> np.ndarray | None:
    """The corners of the quadrilateral that a convex outline follows within the picture, clockwise from the top left.

    A side of which the picture shows nothing is taken as parallel to the one opposite, and as far out as the outline.
    None if the outline shows no two sides that meet.
    """
    outline = cv2.approxPolyDP(hull, 0.01 * cv2.arcLength(hull, closed=True), closed=True)[:, 0].astype(np.float32)
    if cv2.contourArea(outline, oriented=True) < 0:
        outline = outline[::-1]
    ends = np.stack([outline, np.roll(outline, -1, axis=0)])
    edges = ends[1] - ends[0]
    far = np.array(shape[::-1]) - 2
    on_border = np.any((ends <= 1).all(axis=0) | (ends >= far).all(axis=0), axis=-1)
    lengths = np.where(on_border, 0, np.hypot(*edges.T))
    angles = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
    # How far the sheet is turned, at most 45° either way.
    turn = (angles[lengths.argmax()] + 45) % 90 - 45
    which = np.round((angles - turn) / 90).astype(int) % 4
    # Top, right, bottom and left side: the longest edge of each, as a point and a direction.
    longest = [int((lengths * (which == side)).argmax()) for side in range(4)]
    is_seen = [lengths[edge] > 0 and which[edge] == side for side, edge in enumerate(longest)]
    if not any(is_seen[side] and is_seen[side - 1] for side in range(4)):
        return None
    points, directions = [], []
    for side, edge in enumerate(longest):
        opposite = (side + 2) % 4
        angle = angles[edge] if is_seen[side] else turn + 90 * side
        if not is_seen[side] and is_seen[opposite]:
            angle = angles[longest[opposite]] + 180
        elif abs((angle - turn + 45) % 90 - 45) > SKEW:
            return None
        direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        outward = np.array([direction[1], -direction[0]])
        points.append(outline[edge] if is_seen[side] else outline[(outline @ outward).argmax()])
        directions.append(direction)
    crossings = []
    for side in range(4):
        # Where the side meets the one before.
        along = np.linalg.solve(
            np.stack([directions[side], -directions[side - 1]], axis=1), points[side - 1] - points[side]
        )
        crossings.append(points[side] + along[0] * directions[side])
    return np.array(crossings, np.float32)


def _fills(light: np.ndarray, outline: np.ndarray, corners: np.ndarray) -> bool:
    """Whether an outline reaches into all corners of a quadrilateral, but not beyond, and paper covers most of it."""
    inside = cv2.fillConvexPoly(np.zeros_like(light), corners.round().astype(np.int32), 1)
    filled = cv2.drawContours(np.zeros_like(light), [outline], -1, 1, -1)
    common = cv2.countNonZero(cv2.bitwise_and(filled, inside))
    return (
        common >= LEAST_COMMON * cv2.countNonZero(cv2.bitwise_or(filled, inside))
        and cv2.countNonZero(cv2.bitwise_and(light, inside)) >= LEAST_PAPER * common
    )


def _stands_out(picture: np.ndarray, corners: np.ndarray) -> bool:
    """Whether the picture, as far as it shows them, is darker beyond all sides of a quadrilateral, and at least two."""
    height, width = picture.shape
    darker = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        outward = np.array([end[1] - start[1], start[0] - end[0]]) / max(1, np.hypot(*(end - start)))
        line = start + np.linspace(0.05, 0.95, 40)[:, None] * (end - start)
        # Both within and beyond a line that is printed along the sheet's edge, there is paper.
        for distance in (NEAR, FAR):
            places = np.round([line - NEAR * outward, line - FAR * outward, line + distance * outward]).astype(int)
            shown = ((places >= 0) & (places < (width, height))).all(axis=(0, 2))
            if shown.any():
                *within, dark = picture[places[:, shown, 1], places[:, shown, 0]].astype(float)
                light = np.maximum(*within)
                darker.append((distance, np.mean(light - dark > EDGE_CONTRAST * np.median(light))))
    return sum(distance == NEAR for distance, _ in darker) >= 2 and min(share for _, share in darker) >= EDGE_SHARE


def _is_written_on(picture: np.ndarray, corners: np.ndarray) -> bool:
    """Whether a quadrilateral has narrow, dark writing inside, away from its sides, and little such paper beyond."""
    sheet = cv2.fillConvexPoly(np.zeros_like(picture), corners.round().astype(np.int32), 1)
    margin = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
    inside, beyond = cv2.erode(sheet, margin) > 0, cv2.dilate(sheet, margin) == 0
    if not inside.any():
        return False
    paper = np.median(picture[inside])
    if np.count_nonzero(picture[beyond] > (1 - EDGE_CONTRAST) * paper) > MOST_LIGHT * np.count_nonzero(beyond):
        return False
    filled = np.where(inside, picture, np.uint8(paper))
    ink = cv2.morphologyEx(filled, cv2.MORPH_BLACKHAT, np.ones((INK_WIDTH, INK_WIDTH), np.uint8))
    return int(np.count_nonzero(ink > INK_CONTRAST * paper)) >= LEAST_INK


def _rectified(grey: np.ndarray, corners: np.ndarray) -> Page:
    top, right, bottom, left = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    width, height = round((top + bottom) / 2), round((left + right) / 2)
    trim = TRIM * np.array([width, height])
    size = np.maximum(1, np.round((width, height) - 2 * trim)).astype(int)
    page = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - trim
    to_picture = cv2.getPerspectiveTransform(page.astype(np.float32), corners.astype(np.float32))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    sheet = cv2.warpPerspective(grey, to_picture, size.tolist(), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return Page(sheet, to_picture)
