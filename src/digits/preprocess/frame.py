"""Normalise a digit's size, position and stroke width as in MNIST."""

import cv2
import numpy as np

from digits.images import SIDE

# MNIST's digits are scaled to fit 20×20 and centred in 28×28 by their centre of mass (LeCun et al. 1998).
BOX = 20
# Mean centre of mass of the 60,000 training digits along each axis, in pixels from the centre of the first pixel.
MIDDLE = 14.0
# Strokes are measured and redrawn at this many times the resolution of the 28×28 image.
FINE = 8
# In pixels of the 28×28 image: strokes thinner than the first are widened to the second, strokes thicker than the third
# are thinned to the fourth.
THINNEST, WIDENED, THICKEST, THINNED = 1.9, 2.4, 4.4, 3.4


def set_in_frame(darkness: np.ndarray, mask: np.ndarray, normalise_stroke: bool = True) -> tuple[np.ndarray, list[str]]:
    """Scale the masked ink to fit 20×20 and move its centre of mass to the middle of 28×28.

    Args:
        darkness: uint8 (height, width), the ink's darkness, 255 the darkest.
        mask: uint8 (height, width), 1 on the digit's ink, 0 elsewhere.
        normalise_stroke: bring stroke widths that are unusual in MNIST close to the usual ones.

    Returns:
        The digit, uint8 (28, 28), ink 255 on paper 0, and what was done, one phrase per step.
    """
    x, y, width, height = cv2.boundingRect(mask)
    # Faint ink next to the strokes is their antialiased edge; further away it is paper.
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    # In floating point, because thin faint strokes would round to zero before the ink is rescaled to 255.
    digit = np.where(near, darkness, 0)[y : y + height, x : x + width].astype(np.float32)
    steps = []
    if normalise_stroke:
        full = float(np.percentile(darkness[mask > 0], 75))
        solid = _solid(digit, full)
        stroke = _stroke_width(solid)
        wanted = WIDENED if stroke < THINNEST else THINNED if stroke > THICKEST else stroke
        if wanted != stroke:
            digit = _redrawn(solid, wanted - stroke)
            verb = "widened" if wanted > stroke else "thinned"
            steps.append(f"{verb} the stroke from about {stroke:.1f} to {wanted:.1f} pixels of the 28×28 image")
    height, width = digit.shape
    scale = BOX / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    digit = cv2.resize(digit, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    digit = cv2.convertScaleAbs(digit, alpha=255 / float(digit.max()))
    image, shift = _centred(digit)
    steps.append(f"scaled it to {size[0]}×{size[1]}")
    steps.append(f"moved its centre of mass to the middle ({shift[0]:+d}, {shift[1]:+d} pixels)")
    return image, steps


def _solid(digit: np.ndarray, full: float) -> np.ndarray:
    """The digit in black and white, uint8 (height, width), 1 for ink, scaled to 160 pixels plus a margin."""
    scale = BOX * FINE / max(digit.shape)
    # Add paper around it, so that its outermost pixels also get soft edges.
    digit = cv2.copyMakeBorder(digit, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    height, width = digit.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fine = cv2.resize(digit, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    if scale > 1:
        # Smooth away the staircase of a pixelated stroke.
        fine = cv2.GaussianBlur(fine, (0, 0), 0.3 * scale)
    solid = fine > min(0.5 * full, 0.5 * float(fine.max()))
    # Leave room for the stroke to grow.
    return np.pad(solid.astype(np.uint8), 2 * FINE)


def _stroke_width(solid: np.ndarray) -> float:
    """The mean width of a stroke, in pixels of the 28×28 image."""
    distances = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    # In a long bar of width w, the mean distance to the nearest pixel of paper is w / 4 + 1 / 2.
    return (4 * float(distances[solid > 0].mean()) - 2) / FINE


def _redrawn(solid: np.ndarray, change: float) -> np.ndarray:
    """The digit with its stroke widened by `change` pixels of the 28×28 image, cropped, float32 in [0, 1]."""
    distances = cv2.distanceTransform(solid, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5)
    growth = change / 2 * FINE
    # A closed loop would make another digit, so about a pixel of paper must remain visible.
    while growth > 1 and _holes(distances + growth + FINE / 2 > 0) < _holes(solid):
        growth *= 0.7
    drawn = np.clip(distances + growth + 0.5, 0, 1)
    x, y, width, height = cv2.boundingRect((drawn > 0.5).astype(np.uint8))
    return drawn[y : y + height, x : x + width]


def _holes(solid: np.ndarray) -> int:
    """The number of connected areas of paper, including the one around the digit."""
    return cv2.connectedComponents(1 - solid.astype(np.uint8), connectivity=4)[0] - 1


def _centred(digit: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Place `digit` in 28×28, its centre of mass as close to the middle as fits; also return its box's shift (x, y)."""
    height, width = digit.shape
    moments = cv2.moments(digit)
    left = round(MIDDLE - moments["m10"] / moments["m00"])
    top = round(MIDDLE - moments["m01"] / moments["m00"])
    left, top = min(max(left, 0), SIDE - width), min(max(top, 0), SIDE - height)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = digit
    return image, (left - (SIDE - width) // 2, top - (SIDE - height) // 2)
