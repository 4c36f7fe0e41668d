"""Other plausible ways to find the ink on a picture: cropped tightly to the digit, or with faint strokes."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import cv2
import numpy as np

from digits.preprocess.ink import ALL_STEPS, POLARITY, EnabledSteps, Ink, find_ink, polarity_votes

# A picture may be cropped to the digit if on neither side of Otsu's threshold there is more than this fraction of its
# border, the two votes on the polarity differ by less than the second, and ink covers more than the third fraction
# of the border. Paper is then added all around, this fraction of its side, as bright as this percentile.
LARGEST_BORDER, LEAST_VOTE, LEAST_INK, ADDED_PAPER, PAPER_PERCENTILE = 0.95, 1.5, 0.05, 1 / 8, 95
# Strokes may be this faint, a fraction of the darkest strokes' darkness, and more than the second and at most the third
# fraction of the other ink. What is so near other ink, a fraction of the digit's size, is its soft edge.
FAINT_SHARE, LEAST_FAINT, MOST_FAINT, SOFT_EDGE = 0.15, 0.04, 1, 1 / 15


def possible_inks(grey: np.ndarray, enabled: EnabledSteps = ALL_STEPS) -> Iterator[tuple[Ink, str]]:
    """The ink on a greyscale picture, uint8 (height, width), in every plausible way, the likeliest first.

    Where ink and paper share the picture's border, it may be cropped tightly to a digit of either polarity, or there
    may be a frame or a shadow; each way is then described in a few words.

    Raises:
        ValueError: the picture is blank.
    """
    ink = find_ink(grey, enabled)
    # `find_ink` has removed shadows and frames, which mix the border, too.
    border = np.concatenate([ink.mask[0], ink.mask[-1], ink.mask[:, 0], ink.mask[:, -1]])
    if not enabled.frame or border.mean() < LEAST_INK:
        yield ink, ""
        return
    light_border, skewness = polarity_votes(grey)
    if abs(light_border) >= LARGEST_BORDER - 0.5 or abs(skewness - light_border) >= LEAST_VOTE:
        yield ink, ""
        return
    likely = skewness > light_border
    yield _cropped_ink(grey, enabled, likely), ""
    with suppress(ValueError):
        yield _cropped_ink(grey, enabled, not likely), f"read as {POLARITY[not likely]}"
    yield ink, "read as a picture with a shadow, a frame or a desk"


def _cropped_ink(grey: np.ndarray, enabled: EnabledSteps, is_light: bool) -> Ink:
    """The ink on a picture that is cropped tightly to a digit: paper is added all around."""
    added = max(2, round(ADDED_PAPER * max(grey.shape)))
    paper = int(np.percentile(grey, 100 - PAPER_PERCENTILE if is_light else PAPER_PERCENTILE))
    grey = cv2.copyMakeBorder(grey, added, added, added, added, cv2.BORDER_CONSTANT, value=paper)
    ink = find_ink(grey, replace(enabled, frame=False, lines=False), is_light)
    return replace(ink, origin=(-added, -added), steps=("added paper around the picture", *ink.steps))


def faint_strokes(ink: Ink) -> np.ndarray:
    """A mask, uint8 (height, width), of the ink and of strokes beside it that may be too faint to count as ink."""
    darkest = float(np.percentile(ink.darkness[ink.mask > 0], 99))
    pale = (ink.darkness > FAINT_SHARE * darkest).astype(np.uint8)
    edge = 2 * round(SOFT_EDGE * max(cv2.boundingRect(ink.mask)[2:])) + 1
    beside = cv2.countNonZero(cv2.subtract(pale, cv2.dilate(ink.mask, np.ones((edge, edge), np.uint8))))
    is_stroke = LEAST_FAINT < beside / cv2.countNonZero(ink.mask) <= MOST_FAINT
    return pale if is_stroke else ink.mask
