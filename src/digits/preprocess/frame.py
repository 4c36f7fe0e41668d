"""Setting a digit in 28×28 as MNIST does: its size, its place, and a stroke as wide as MNIST's pens drew."""

import cv2
import numpy as np

from digits.images import SIDE

# MNIST's digits are scaled to fit 20×20 and placed in 28×28 by their centre of mass (LeCun et al. 1998).
BOX = 20
# Mean centre of mass of the official 60,000 digits on either axis, in pixels from the centre of the first one.
MIDDLE = 14.0
# Pixels a pixel of the 28×28 image, where strokes are measured and drawn anew.
FINE = 8
# Widths of strokes, in pixels of the 28×28 image: thinner ones are widened, thicker ones thinned.
THINNEST, WIDENED, THICKEST, THINNED = 1.9, 2.4, 4.4, 3.4


def set_in_frame(darkness: np.ndarray, mask: np.ndarray, normalise_stroke: bool = True) -> tuple[np.ndarray, list[str]]:
    """Scale the ink under a mask to 20×20 and put its centre of mass in the middle of 28×28.

    Args:
        darkness: uint8 (height, width), how dark the ink is.
        mask: uint8 (height, width), 1 where there is ink of the digit.
        normalise_stroke: bring the width of strokes that are unusual in MNIST near to what is usual.

    Returns:
        The digit, uint8 (28, 28), and what was done, one phrase each.
    """
    x, y, width, height = cv2.boundingRect(mask)
    # Faint ink around the strokes is their smooth edge; further away it is paper.
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    # In floating point, because thin faint strokes would round to nothing before their ink is made full again.
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
            steps.append(f"{verb} the stroke from about {stroke:.1f} to {wanted:.1f} of MNIST's pixels")
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
    """The digit in black and white, uint8 (height, width), 1 for ink, enlarged or reduced to 160 pixels."""
    scale = BOX * FINE / max(digit.shape)
    # Paper around it, so that its outermost pixels get soft edges, too.
    digit = cv2.copyMakeBorder(digit, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    height, width = digit.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fine = cv2.resize(digit, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    if scale > 1:
        # So that the steps of a pixelated line don't count as its shape.
        fine = cv2.GaussianBlur(fine, (0, 0), 0.3 * scale)
    solid = fine > min(0.5 * full, 0.5 * float(fine.max()))
    # Room for the stroke to grow.
    return cv2.copyMakeBorder(solid.astype(np.uint8), *4 * [2 * FINE], cv2.BORDER_CONSTANT)


def _stroke_width(solid: np.ndarray) -> float:
    """The mean width of a stroke, in pixels of the 28×28 image."""
    distances = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    # In a long bar of width w the mean distance from the paper's nearest pixel is w / 4 + 1 / 2.
    return (4 * float(distances[solid > 0].mean()) - 2) / FINE


def _redrawn(solid: np.ndarray, change: float) -> np.ndarray:
    """The digit with a stroke wider by `change` pixels of the 28×28 image, cut out, float32 from 0 to 1."""
    distances = cv2.distanceTransform(solid, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5)
    growth = change / 2 * FINE
    # A loop that closes makes another digit. About a pixel of paper must be left to be seen.
    while growth > 1 and _holes(distances + growth + FINE / 2 > 0) < _holes(solid):
        growth *= 0.7
    drawn = np.clip(distances + growth + 0.5, 0, 1)
    x, y, width, height = cv2.boundingRect((drawn > 0.5).astype(np.uint8))
    return drawn[y : y + height, x : x + width]


def _holes(solid: np.ndarray) -> int:
    """How many connected areas of paper there are, that around the digit among them."""
    return cv2.connectedComponents(1 - solid.astype(np.uint8), connectivity=4)[0] - 1


def _centred(digit: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Set `digit` in 28×28 with its centre of mass in the middle as far as it fits; also its box's shift, (x, y)."""
    height, width = digit.shape
    moments = cv2.moments(digit)
    left = round(MIDDLE - moments["m10"] / moments["m00"])
    top = round(MIDDLE - moments["m01"] / moments["m00"])
    left, top = min(max(left, 0), SIDE - width), min(max(top, 0), SIDE - height)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = digit
    return image, (left - (SIDE - width) // 2, top - (SIDE - height) // 2)
