"""Telling ink from paper, whichever of the two is lighter: frames, shadows and the paper's own lines are taken away."""

from dataclasses import dataclass

import cv2
import numpy as np

from digits.preprocess.files import at_working_size
from digits.preprocess.parts import lies_along_the_border

# Of the 255 parts of the paper's light, what the darkest ink takes at least; with less a picture counts as blank.
LEAST_CONTRAST = 16
# A frame is at most so thick, a share of the picture's side.
LARGEST_FRAME = 0.12
# A desk beyond the paper is at least this share of the picture, darker than this share of the paper's light, and even.
LEAST_DESK, DESK_SHARE, DESK_RANGE = 0.005, 0.65, 40
# Wider than any stroke, narrower than most shadows: a share of the picture's longer side.
PAPER_WINDOW = 1 / 3
# Ink is at least half as dark as the darkest strokes; what is connected to it may be paler.
DARK_SHARE, PALE_SHARE = 0.5, 0.25
# In pictures narrower than this, in pixels, strokes are as thin as a page's lines.
LEAST_SIDE = 60
# The paper's lines are straight for this share of the picture, at most so steep (in degrees), and thin.
LINE_LENGTH, LINE_SLOPE, LINE_WIDTH = 0.85, 5, 0.035
# The paper's light and its lines are looked for at this size; polarity and a desk, at that one.
PAPER_SIDE, ROUGH_SIDE = 200, 100


@dataclass(frozen=True)
class Ink:
    """What is written on a picture.

    Attributes:
        darkness: uint8 (height, width), how much of the paper's light the ink takes, 255 all of it.
        mask: uint8 (height, width), 1 where there is ink.
        origin: (x, y) on the picture of its first pixel, for a frame is left out.
        steps: how it was found, one phrase each, in order.
    """

    darkness: np.ndarray
    mask: np.ndarray
    origin: tuple[int, int]
    steps: tuple[str, ...]


@dataclass(frozen=True)
class EnabledSteps:
    """Which steps are taken: all of them, unless somebody asks what one is worth."""

    frame: bool = True
    shadows: bool = True
    lines: bool = True
    parts: bool = True
    stroke: bool = True


def find_ink(grey: np.ndarray, enabled: EnabledSteps) -> Ink:
    """Find the ink on a grey picture, uint8 (height, width).

    Raises:
        ValueError: nothing is drawn on it.
    """
    steps = []
    (left, top), inside = _without_frame(grey) if enabled.frame else ((0, 0), grey)
    if inside.shape != grey.shape:
        steps.append(f"left out a frame; {inside.shape[1]}×{inside.shape[0]} pixels remain")
    is_light = _has_light_ink(inside)
    steps.append("light ink on dark paper" if is_light else "dark ink on light paper")
    light_paper = 255 - inside if is_light else inside
    if enabled.frame and (without_desk := _without_desk(light_paper)) is not None:
        light_paper = without_desk
        steps.append("left out what lies beyond the paper's edge")
    darkness = _darkness(light_paper, enabled.shadows)
    if darkness.max() < LEAST_CONTRAST:
        raise ValueError("nothing is drawn on it")

    pale, dark = _thresholds(darkness)
    mask, is_cluttered = _mask(darkness, pale, dark)
    if is_cluttered and enabled.lines and min(darkness.shape) > LEAST_SIDE:
        cleared = _without_lines(darkness, pale / 2)
        # A digit that is cut out tightly can be one straight line from edge to edge itself.
        if cleared is not None and np.count_nonzero(cleared[mask > 0]) > mask.sum() / 10:
            darkness = cleared
            mask, _ = _mask(darkness, *_thresholds(darkness))
            steps.append("took away the paper's own lines")
    return Ink(darkness, mask, (left, top), tuple(steps))


def _without_frame(grey: np.ndarray) -> tuple[tuple[int, int], np.ndarray]:
    """The picture inside a frame, of a screenshot or a scan for example, and where it begins, (x, y).

    A frame is a strip along an edge, nearly all of the colour that there is less of. It ends at once, which the bar of
    a 7 that is cut out tightly doesn't.
    """
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    is_frame = grey > threshold
    if is_frame.mean() > 0.5:
        is_frame = ~is_frame
    # The pixels at its inner edge are mixed ones.
    soft = 1 if min(grey.shape) > LEAST_SIDE else 0
    cuts = []
    for rows in (is_frame, is_frame[::-1], is_frame.T, is_frame.T[::-1]):
        share = rows[: int(len(rows) * LARGEST_FRAME)].mean(axis=1)
        end, behind = (np.flatnonzero(share < most) for most in (0.95, 0.3))
        is_strip = len(behind) > 0 and end[0] > 0 and behind[0] - end[0] <= 1
        cuts.append(int(behind[0]) + soft if is_strip else 0)
    top, bottom, left, right = cuts
    height, width = grey.shape
    return (left, top), grey[top : height - bottom, left : width - right]


def _without_desk(light_paper: np.ndarray) -> np.ndarray | None:
    """The picture with paper in corners that show a dark desk instead; None if none does.

    A desk is far darker than the paper, and even: a shadow with ink in it isn't. Its edge is straight, which a digit's
    isn't that reaches a corner because it is cut out tightly; a tight 1 may be straight, but reaches opposite corners.
    """
    small = at_working_size(light_paper, ROUGH_SIDE)
    _, dark = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    labels = cv2.connectedComponents(dark, connectivity=4)[1]
    # Clockwise, so that opposite ones are two apart.
    corners = labels[[0, 0, -1, -1], [0, -1, -1, 0]]
    beyond = np.zeros_like(dark)
    for label in np.unique(corners[corners > 0]):
        region = (labels == label).astype(np.uint8)
        inner = small[cv2.erode(region, np.ones((5, 5), np.uint8)) > 0]
        if inner.size < LEAST_DESK * small.size or np.any((corners == label)[:2] & (corners == label)[2:]):
            continue
        outline = max(cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
        is_straight = cv2.contourArea(outline) > 0.9 * cv2.contourArea(cv2.convexHull(outline))
        darkest, brightest = np.percentile(inner, (2, 98))
        if is_straight and brightest < DESK_SHARE * np.median(small[dark == 0]) and brightest - darkest < DESK_RANGE:
            beyond |= region
    if not beyond.any():
        return None
    # With the mixed pixels at its edge.
    beyond = cv2.dilate(beyond, np.ones((3, 3), np.uint8))
    beyond = cv2.resize(beyond, light_paper.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.where(beyond, np.uint8(np.percentile(light_paper, 90)), light_paper)


def _has_light_ink(grey: np.ndarray) -> bool:
    """Whether the ink is lighter than its paper: there is less of it, and less at the picture's border.

    Less of it in each neighbourhood, so that shadows don't count: the third moment of what differs from the mean.
    """
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    light_border = float(np.mean(border > threshold)) - 0.5
    small = at_working_size(grey, ROUGH_SIDE).astype(np.float32)
    window = (max(small.shape) // 2) | 1
    residual = small - cv2.blur(small, (window, window), borderType=cv2.BORDER_REFLECT_101)
    skewness = float((residual**3).mean()) / (float((residual**2).mean()) ** 1.5 + 1e-6)
    return skewness > light_border


def _darkness(light_paper: np.ndarray, shadows: bool) -> np.ndarray:
    """How much of the paper's light is missing, uint8, on a picture of dark ink."""
    side = max(light_paper.shape)
    light_paper = cv2.GaussianBlur(light_paper, (0, 0), side / 500)
    if shadows:
        # Closing with a window wider than any stroke leaves the paper, with the edges of its shadows. At the picture's
        # border the reflection leaves strokes no wider than twice their width.
        light_paper = _evenly_lit(light_paper)
        small = at_working_size(light_paper, PAPER_SIDE)
        window = max(3, int(max(small.shape) * PAPER_WINDOW)) | 1
        smooth = cv2.GaussianBlur(small, (0, 0), max(small.shape) / 200)
        smooth = cv2.copyMakeBorder(smooth, *4 * [window], cv2.BORDER_REFLECT)
        paper = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8))
        paper = cv2.resize(paper[window:-window, window:-window], light_paper.shape[::-1])
    else:
        paper = np.full_like(light_paper, np.percentile(light_paper, 90))
    # The share, not the difference, because ink in a shadow is as dark as elsewhere by that measure.
    return 255 - cv2.divide(cv2.min(light_paper, paper), cv2.max(paper, 1), scale=255)


def _evenly_lit(light_paper: np.ndarray) -> np.ndarray:
    """A picture, uint8, without the steady fall of its light to one side.

    The fall is the median one over a tenth of the picture, to which neither strokes nor a shadow's edge contribute.
    """
    brightness = np.log1p(at_working_size(light_paper, ROUGH_SIDE).astype(np.float32))
    falls = []
    for along, length in zip((brightness, brightness.T), light_paper.shape, strict=True):
        step = max(1, len(along) // 10)
        fall = float(np.median(along[step:] - along[:-step])) * len(along) / step if len(along) > step else 0
        falls.append(np.linspace(-fall / 2, fall / 2, length, dtype=np.float32))
    down, across = falls
    return cv2.convertScaleAbs(light_paper * np.exp(-down)[:, None] * np.exp(-across))


def _thresholds(darkness: np.ndarray) -> tuple[float, float]:
    """The least darkness of pale and of dark ink, by the darkest strokes and by what divides ink from paper best."""
    otsu, stroke = cv2.threshold(darkness, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    darkest = float(np.percentile(darkness[stroke > 0], 99))
    return min(max(otsu, PALE_SHARE * darkest), DARK_SHARE * darkest), max(otsu, DARK_SHARE * darkest)


def _mask(darkness: np.ndarray, least_pale: float, least_dark: float) -> tuple[np.ndarray, bool]:
    """Where there is ink, uint8 of the same shape; and whether it is all over the page, from edge to edge.

    Pale ink counts where it is connected with dark ink, so that uneven strokes don't break. On a cluttered page it
    would connect everything, and doesn't count.
    """
    dark, pale = ((darkness > least).astype(np.uint8) for least in (least_dark, least_pale))
    count, labels, stats, centres = cv2.connectedComponentsWithStats(pale, connectivity=8)
    if np.any(_spans(stats, darkness.shape)[1:] & ~lies_along_the_border(labels, stats, centres)):
        return dark, True
    has_dark = np.bincount(labels[dark > 0], minlength=count) > 0
    return has_dark[labels].astype(np.uint8), False


def _spans(stats: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Which parts, as `cv2.connectedComponentsWithStats` describes them, reach from edge to edge of the picture."""
    height, width = shape
    return (stats[:, cv2.CC_STAT_WIDTH] >= 0.95 * width) | (stats[:, cv2.CC_STAT_HEIGHT] >= 0.95 * height)


def _without_lines(darkness: np.ndarray, least: float) -> np.ndarray | None:
    """The ink without thin straight lines of at least some darkness across the page; None if there are none."""
    small = at_working_size(darkness, PAPER_SIDE)
    lines = cv2.max(_rows(small), _rows(np.ascontiguousarray(small.T)).T)
    widest = max(3, round(LINE_WIDTH * max(small.shape))) | 1
    thick = cv2.morphologyEx(small, cv2.MORPH_OPEN, np.ones((widest, widest), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((lines >= least).astype(np.uint8), connectivity=8)
    # A line is thick where a stroke crosses it; what is thick for half of its length is a stroke itself.
    thick_share = np.bincount(labels[thick >= lines * 0.7], minlength=count) / stats[:, cv2.CC_STAT_AREA]
    is_line = _spans(stats, small.shape) & (thick_share <= 0.5)
    is_line[0] = False
    lines[~is_line[labels]] = 0
    if not lines.any():
        return None
    lines = cv2.resize(lines, darkness.shape[::-1], interpolation=cv2.INTER_LINEAR)
    on_line = lines >= least
    # In the small picture the thinnest are paler than they are.
    paleness = float(np.percentile(darkness[on_line] / lines[on_line], 90))
    cleared = cv2.subtract(darkness, cv2.convertScaleAbs(lines, alpha=1.05 * max(1, paleness)))
    # Where a line crossed a stroke it left a gap, which is what closing fills of what was there.
    gap = max(3, round(LINE_WIDTH * max(darkness.shape))) | 1
    closed = cv2.morphologyEx(cleared, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
    return np.where(on_line, cv2.min(closed, darkness), cleared)


def _rows(darkness: np.ndarray) -> np.ndarray:
    """What remains of the ink when only straight lines across the page are left, level or nearly so."""
    length = int(darkness.shape[1] * LINE_LENGTH)
    # Lines on paper that isn't flat are not quite straight.
    thick = cv2.dilate(darkness, np.ones((3, 1), np.uint8))
    lines = np.zeros_like(darkness)
    for degrees in range(-LINE_SLOPE, LINE_SLOPE + 1):
        rise = np.round(np.arange(length) * np.tan(np.radians(degrees))).astype(int)
        line = np.zeros((np.ptp(rise) + 1, length), np.uint8)
        line[rise - rise.min(), np.arange(length)] = 1
        lines = cv2.max(lines, cv2.morphologyEx(thick, cv2.MORPH_OPEN, line))
    return lines
