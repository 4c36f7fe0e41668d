"""Separate ink from paper, whichever is lighter, and remove frames, shadows and ruled lines."""

from dataclasses import dataclass

import cv2
import numpy as np

from digits.preprocess.decoding import at_working_size
from digits.preprocess.parts import lies_along_the_border

# A picture whose darkest ink is fainter than this, of 255, counts as blank.
LEAST_CONTRAST = 16
# The largest thickness of a frame, as a fraction of the picture's side.
LARGEST_FRAME = 0.12
# A desk beside the paper covers at least this fraction of the picture, is darker than this fraction of the paper's
# brightness, and its grey levels span less than this range.
LEAST_DESK, DESK_SHARE, DESK_RANGE = 0.005, 0.65, 40
# Wider than any stroke, narrower than most shadows: a fraction of the picture's longer side.
PAPER_WINDOW = 1 / 3
# Fractions of the darkest strokes' darkness: the least of ink, and the least of paler ink that is connected to it.
DARK_SHARE, PALE_SHARE = 0.5, 0.25
# In pictures smaller than this, in pixels, strokes are as thin as ruled lines.
LEAST_SIDE = 60
# Whether ink is light, in words.
POLARITY = {False: "dark ink on light paper", True: "light ink on dark paper"}
# Ruled lines are straight over this fraction of the picture, at most this steep in degrees, and at most this thick.
LINE_LENGTH, LINE_SLOPE, LINE_WIDTH = 0.85, 5, 0.035
# Sizes in pixels at which the paper and its lines are estimated, and the polarity and a desk.
PAPER_SIDE, ROUGH_SIDE = 200, 100


@dataclass(frozen=True)
class Ink:
    """The ink on a picture.

    Attributes:
        darkness: uint8 (height, width), the share of the paper's light that the ink absorbs, 255 for all of it.
        mask: uint8 (height, width), 1 on ink, 0 elsewhere.
        origin: (x, y) of the first pixel on the original picture, from which a frame may have been cropped.
        steps: how the ink was found, in order, one phrase per step.
    """

    darkness: np.ndarray
    mask: np.ndarray
    origin: tuple[int, int]
    steps: tuple[str, ...]


@dataclass(frozen=True)
class EnabledSteps:
    """The steps of preprocessing to run; switching one off shows what it contributes."""

    frame: bool = True
    shadows: bool = True
    lines: bool = True
    parts: bool = True
    stroke: bool = True


ALL_STEPS = EnabledSteps()


def find_ink(grey: np.ndarray, enabled: EnabledSteps = ALL_STEPS, is_light: bool | None = None) -> Ink:
    """Find the ink on a greyscale picture, uint8 (height, width), and, if it isn't given, whether it `is_light`.

    Raises:
        ValueError: the picture is blank.
    """
    steps = []
    (left, top), inside = _without_frame(grey) if enabled.frame else ((0, 0), grey)
    if inside.shape != grey.shape:
        steps.append(f"cropped a frame, leaving {inside.shape[1]}×{inside.shape[0]} pixels")
    if is_light is None:
        light_border, skewness = polarity_votes(inside)
        is_light = skewness > light_border
    steps.append(POLARITY[is_light])
    light_paper = 255 - inside if is_light else inside
    darkness = _darkness(light_paper, enabled.shadows)
    if enabled.frame and (without_desk := _without_desk(light_paper)) is not None:
        rest = _darkness(without_desk, enabled.shadows)
        # If nothing is left, it was no desk, but a shadow with the digit in it.
        if rest.max() >= LEAST_CONTRAST:
            darkness = rest
            steps.append("removed what lies beyond the paper's edge")
    if darkness.max() < LEAST_CONTRAST:
        raise ValueError("nothing is drawn on it")

    pale, dark = _thresholds(darkness)
    mask, is_cluttered = ink_mask(darkness, pale, dark)
    if is_cluttered and enabled.lines and min(darkness.shape) > LEAST_SIDE:
        cleared = _without_lines(darkness, pale / 2)
        # A tightly cropped digit can itself be a straight line from edge to edge.
        if cleared is not None and np.count_nonzero(cleared[mask > 0]) > mask.sum() / 10:
            darkness = cleared
            mask, _ = ink_mask(darkness, *_thresholds(darkness))
            steps.append("removed the lines printed on the paper")
    return Ink(darkness, mask, (left, top), tuple(steps))


def _without_frame(grey: np.ndarray) -> tuple[tuple[int, int], np.ndarray]:
    """Crop a frame, as in a screenshot or a scan; also return the (x, y) at which the rest begins.

    A frame is a strip along an edge that consists almost entirely of the rarer of the two colours. It ends abruptly,
    unlike the bar of a tightly cropped 7.
    """
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    is_frame = grey > threshold
    if is_frame.mean() > 0.5:
        is_frame = ~is_frame
    # The pixels along its inner edge are a mixture of frame and paper.
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
    """Replace corners that show a dark desk by paper; None if no corner does.

    A desk is far darker than the paper and uniform, unlike a shadow with ink in it. Its edge is straight, unlike that
    of a tightly cropped digit that reaches a corner; a tightly cropped 1 may be straight, but reaches opposite corners.
    """
    small = at_working_size(light_paper, ROUGH_SIDE)
    _, dark = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    labels = cv2.connectedComponents(dark, connectivity=4)[1]
    # Clockwise, so that opposite corners are two apart.
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
    # Include the pixels along its edge, which are a mixture of desk and paper.
    beyond = cv2.dilate(beyond, np.ones((3, 3), np.uint8))
    beyond = cv2.resize(beyond, light_paper.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.where(beyond, np.uint8(np.percentile(light_paper, 90)), light_paper)


def polarity_votes(grey: np.ndarray) -> tuple[float, float]:
    """How light the border is, from -0.5 to 0.5, and how rare light is; the ink is light if the second is greater.

    Ink is rarer than paper, and rarer along the picture's border. Which is rarer is decided in each neighbourhood, by
    the skewness of the differences from the local mean, so that shadows don't count.
    """
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    light_border = float(np.mean(border > threshold)) - 0.5
    small = at_working_size(grey, ROUGH_SIDE).astype(np.float32)
    window = (max(small.shape) // 2) | 1
    residual = small - cv2.blur(small, (window, window), borderType=cv2.BORDER_REFLECT_101)
    skewness = float((residual**3).mean()) / (float((residual**2).mean()) ** 1.5 + 1e-6)
    return light_border, skewness


def _darkness(light_paper: np.ndarray, shadows: bool) -> np.ndarray:
    """The share of the paper's light that is missing on a picture of dark ink, uint8 (height, width), 255 for all."""
    side = max(light_paper.shape)
    light_paper = cv2.GaussianBlur(light_paper, (0, 0), side / 500)
    if shadows:
        # Closing with a window wider than any stroke leaves the paper with the edges of its shadows. Reflecting the
        # picture at its border at most doubles the width of strokes there.
        light_paper = _evenly_lit(light_paper)
        small = at_working_size(light_paper, PAPER_SIDE)
        window = max(3, int(max(small.shape) * PAPER_WINDOW)) | 1
        smooth = cv2.GaussianBlur(small, (0, 0), max(small.shape) / 200)
        smooth = cv2.copyMakeBorder(smooth, window, window, window, window, cv2.BORDER_REFLECT)
        paper = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((window, window), np.uint8))
        paper = cv2.resize(paper[window:-window, window:-window], light_paper.shape[::-1])
    else:
        paper = np.full_like(light_paper, np.percentile(light_paper, 90))
    # A ratio rather than a difference, so that ink in a shadow is as dark as ink elsewhere.
    return 255 - cv2.divide(cv2.min(light_paper, paper), np.maximum(paper, 1), scale=255)


def _evenly_lit(light_paper: np.ndarray) -> np.ndarray:
    """Remove the linear change of brightness across a picture, uint8 (height, width).

    The slope is the median change over a tenth of the picture, which neither strokes nor a shadow's edge affect.
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
    """The least darkness of pale and of dark ink, from Otsu's threshold and the darkest strokes."""
    otsu, stroke = cv2.threshold(darkness, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    darkest = float(np.percentile(darkness[stroke > 0], 99))
    return min(max(otsu, PALE_SHARE * darkest), DARK_SHARE * darkest), max(otsu, DARK_SHARE * darkest)


def ink_mask(darkness: np.ndarray, least_pale: float, least_dark: float) -> tuple[np.ndarray, bool]:
    """A mask of the ink, uint8 (height, width), and whether the page is cluttered: a part reaches from edge to edge.

    Pale ink counts where it is connected to dark ink, so that uneven strokes don't break. On a cluttered page it would
    connect everything and is ignored.
    """
    dark, pale = ((darkness > least).astype(np.uint8) for least in (least_dark, least_pale))
    count, labels, stats, centres = cv2.connectedComponentsWithStats(pale, connectivity=8)
    if np.any(_spans(stats, darkness.shape)[1:] & ~lies_along_the_border(labels, stats, centres)):
        return dark, True
    has_dark = np.bincount(labels[dark > 0], minlength=count) > 0
    return has_dark[labels.astype(np.intp)].astype(np.uint8), False


def _spans(stats: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Which parts in the `stats` of `cv2.connectedComponentsWithStats` reach from edge to edge, bool (parts,)."""
    height, width = shape
    return (stats[:, cv2.CC_STAT_WIDTH] >= 0.95 * width) | (stats[:, cv2.CC_STAT_HEIGHT] >= 0.95 * height)


def _without_lines(darkness: np.ndarray, least: float) -> np.ndarray | None:
    """Remove thin straight lines of at least the darkness `least` across the page; None if there are none."""
    small = at_working_size(darkness, PAPER_SIDE)
    lines = cv2.max(_rows(small), _rows(np.ascontiguousarray(small.T)).T)
    widest = max(3, round(LINE_WIDTH * max(small.shape))) | 1
    thick = cv2.morphologyEx(small, cv2.MORPH_OPEN, np.ones((widest, widest), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((lines >= least).astype(np.uint8), connectivity=8)
    # A line is thick where a stroke crosses it; what is thick over half of its length is itself a stroke.
    # Where everything is a line, the background has no area.
    thick_share = np.bincount(labels[thick >= lines * 0.7], minlength=count) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    is_line = _spans(stats, small.shape) & (thick_share <= 0.5)
    is_line[0] = False
    lines[~is_line[labels.astype(np.intp)]] = 0
    if not lines.any():
        return None
    lines = cv2.resize(lines, darkness.shape[::-1], interpolation=cv2.INTER_LINEAR)
    on_line = lines >= least
    # The thinnest lines are paler in the small picture than in the original.
    paleness = float(np.percentile(darkness[on_line] / lines[on_line], 90))
    cleared = cv2.subtract(darkness, cv2.convertScaleAbs(lines, alpha=1.05 * max(1, paleness)))
    # Where a line crossed a stroke, removing it leaves a gap; closing fills it, up to the darkness before.
    gap = max(3, round(LINE_WIDTH * max(darkness.shape))) | 1
    closed = cv2.morphologyEx(cleared, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
    return np.where(on_line, cv2.min(closed, darkness), cleared)


def _rows(darkness: np.ndarray) -> np.ndarray:
    """Keep only straight lines across the page that are horizontal or nearly so."""
    length = int(darkness.shape[1] * LINE_LENGTH)
    # Lines on paper that isn't flat are slightly curved.
    thick = cv2.dilate(darkness, np.ones((3, 1), np.uint8))
    lines = np.zeros_like(darkness)
    for degrees in range(-LINE_SLOPE, LINE_SLOPE + 1):
        rise = np.round(np.arange(length) * np.tan(np.radians(degrees))).astype(int)
        line = np.zeros((np.ptp(rise) + 1, length), np.uint8)
        line[rise - rise.min(), np.arange(length)] = 1
        lines = cv2.max(lines, cv2.morphologyEx(thick, cv2.MORPH_OPEN, line))
    return lines
