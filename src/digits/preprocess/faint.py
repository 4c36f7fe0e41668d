"""Separate thin, pale strokes from paper on a large picture, where they stand out from its noise alone."""

import cv2
import numpy as np

from digits.preprocess.decoding import at_working_size
from digits.preprocess.ink import Ink, ink_mask

# Noise is smoothed over so many pixels, and the paper is the median in windows of this size.
SMOOTHING, PAPER_WINDOW = 0.7, 41
# The least difference from the paper of pale and of dark ink: in grey levels, and as multiples of the paper's noise.
LEAST_PALE, LEAST_DARK = (8, 5), (12, 8)
# If more than this fraction of the pixels that stand out do so the other way, shadows or broad strokes hide the paper.
MOST_OPPOSITE = 0.05
# Printed lines in one direction all have the same slope, one of these, which is found from at most so many pixels. Ink
# covers more than this fraction of the three pixels around them; they leave gaps of at most so many pixels in strokes.
SLOPES, MOST_PIXELS, LINE_SHARE, GAP = np.tan(np.radians(np.linspace(-5, 5, 201))), 20_000, 0.2, 11
WITHOUT_LINES = "removed the lines printed on the paper"


def find_faint_ink(grey: np.ndarray, side: int) -> Ink:
    """Find thin, pale strokes on a greyscale picture, uint8 (height, width), and scale it down to fit `side`×`side`.

    Each pixel is the darkest of those that it replaces, so that thin strokes keep their contrast. The mask is empty if
    lines, shadows or broad strokes on the picture can't be told from thin ones.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), SMOOTHING)
    # Ink stands out more than all that is lighter than the paper, or else it is itself lighter.
    opposite, darkness = sorted((_darkest(paper, side) for paper in (smooth, 255 - smooth)), key=_prominence)
    # Half of the paper is lighter than its median, so this quantile is the median deviation.
    noise = 1.4826 * float(np.quantile(darkness, 0.75))
    least_pale, least_dark = (max(least, times * noise) for least, times in (LEAST_PALE, LEAST_DARK))
    mask, is_cluttered = ink_mask(darkness, least_pale, least_dark)
    steps = ("found faint or small strokes",)
    if np.count_nonzero(opposite > least_dark) > MOST_OPPOSITE * np.count_nonzero(darkness > least_dark):
        mask = np.zeros_like(mask)
    elif is_cluttered:
        darkness = _without_lines(darkness, least_pale)
        mask, is_cluttered = ink_mask(darkness, least_pale, least_dark)
        if is_cluttered:
            mask = np.zeros_like(mask)
        else:
            steps = (WITHOUT_LINES, *steps)
    return Ink(darkness, mask, (0, 0), steps)


def _prominence(darkness: np.ndarray) -> float:
    return float(np.mean(darkness.astype(np.float32) ** 3))


def _darkest(light_paper: np.ndarray, side: int) -> np.ndarray:
    """How much darker than the paper the darkest of the pixels is that one of a picture of at most `side` replaces."""
    reach = int(np.ceil(max(light_paper.shape) / side))
    small = at_working_size(cv2.erode(light_paper, np.ones((reach, reach), np.uint8)), side)
    paper = cv2.medianBlur(at_working_size(small, side // 2), PAPER_WINDOW)
    return cv2.subtract(cv2.resize(paper, small.shape[::-1]), small)


def _without_lines(darkness: np.ndarray, least: float) -> np.ndarray:
    """Remove straight lines of at least the darkness `least` across the page, except where a stroke crosses them."""
    mask = (darkness > least).astype(np.uint8)
    on_line = _on_rows(mask) | _on_rows(np.ascontiguousarray(mask.T)).T
    strokes = cv2.morphologyEx(np.where(on_line, 0, mask), cv2.MORPH_CLOSE, np.ones((GAP, GAP), np.uint8))
    return np.where(on_line & (strokes == 0), np.uint8(0), darkness)


def _on_rows(mask: np.ndarray) -> np.ndarray:
    """Which pixels of a mask, uint8 (height, width), are on nearly horizontal lines across it, bool."""
    height, width = mask.shape
    # Broad strokes aren't lines.
    thin = cv2.subtract(mask, cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((GAP, 1), np.uint8)))
    rows, columns = np.nonzero(thin)
    some = slice(None, None, 1 + len(rows) // MOST_PIXELS)

    def along(slope: float, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return (rows - slope * columns + max(0, slope) * width).astype(int)

    slope = max(SLOPES, key=lambda slope: np.sum(np.bincount(along(slope, rows[some], columns[some])) ** 2))
    line_of = along(slope, np.arange(height)[:, None], np.arange(width))
    length, ink = np.bincount(line_of.ravel()), np.bincount(line_of[thin > 0], minlength=int(line_of.max()) + 1)
    is_line = np.convolve(ink, np.ones(3) / 3, "same") > LINE_SHARE * length
    return (np.convolve(is_line, np.ones(3), "same") > 0)[line_of]
