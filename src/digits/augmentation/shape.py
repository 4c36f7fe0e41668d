"""Families of augmentation that change the digit's shape: warps, flags, stroke width, outlines."""

from functools import cache

import cv2
import numpy as np

from digits.images import SIDE

CENTRE = (SIDE - 1) / 2
# Knots per side of the grid of elastic displacements.
ELASTIC_KNOTS = 5
# The same for ripples: a knot every two pixels.
RIPPLE_KNOTS = 14
# OpenCV draws lines between points in units of 2**-4 pixels.
SUBPIXEL_BITS = 4


def warp(
    images: np.ndarray,
    rng: np.random.Generator,
    *,
    rotation: float = 0,
    scale: float = 0,
    shear: float = 0,
    shift: float = 0,
    elastic: float = 0,
) -> np.ndarray:
    """Rotate, scale, shear, translate and deform each image, uint8 (N, 28, 28), in one bilinear resampling.

    `Augmentation` defines the amounts. Small changes are more frequent than large ones: each is u·|u| times the
    largest, with u uniformly distributed from -1 to 1.
    """
    count = len(images)
    angle = np.deg2rad(_spread(rng, rotation, count))
    size = (1 + _spread(rng, scale, (count, 1))) * (1 + _spread(rng, scale / 2, (count, 2)))
    slant = _spread(rng, shear, count)

    cosine, sine = np.cos(angle), np.sin(angle)
    # Rows of the inverse map, from output pixel to input pixel: rotation after shear after scaling, about the centre.
    matrices = np.empty((count, 2, 3), np.float32)
    matrices[:, 0, 0] = (cosine + slant * sine) / size[:, 0]
    matrices[:, 0, 1] = (sine - slant * cosine) / size[:, 0]
    matrices[:, 1, 0] = -sine / size[:, 1]
    matrices[:, 1, 1] = cosine / size[:, 1]
    matrices[:, :, 2] = CENTRE - matrices[:, :, :2].sum(axis=2) * CENTRE + _spread(rng, shift, (count, 2))

    warped = np.empty_like(images)
    if not elastic:
        for source, matrix, target in zip(images, matrices, warped, strict=True):
            cv2.warpAffine(source, matrix, (SIDE, SIDE), dst=target, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return warped

    # A few random displacements with smooth interpolation have the effect of Simard et al.'s (2003) blurred noise.
    bends = rng.uniform(-elastic, elastic, (count, 2, ELASTIC_KNOTS**2)).astype(np.float32)
    maps = (np.concatenate([matrices, bends], axis=2) @ _map_basis()).reshape(count, 2, SIDE, SIDE)
    for source, (columns, rows), target in zip(images, maps, warped, strict=True):
        cv2.remap(source, columns, rows, cv2.INTER_LINEAR, dst=target)
    return warped


def _spread(rng: np.random.Generator, largest: float, size: int | tuple[int, ...]) -> np.ndarray:
    drawn = rng.uniform(-1, 1, size)
    return largest * drawn * np.abs(drawn)


def ripple(images: np.ndarray, rng: np.random.Generator, largest: float) -> np.ndarray:
    """Ripple images, uint8 (N, 28, 28): displacements of up to `largest` pixels, independent two pixels apart.

    It frays strokes, as rough paper, a leaking pen or frosted glass do, whereas the elastic family bends them.
    """
    count = len(images)
    amplitude = largest * rng.random((count, 1, 1)).astype(np.float32)
    rippled = np.empty_like(images)
    bends = amplitude * rng.uniform(-1, 1, (count, 2, RIPPLE_KNOTS**2)).astype(np.float32)
    maps = (bends @ bumps(RIPPLE_KNOTS)).reshape(count, 2, SIDE, SIDE) + np.indices((SIDE, SIDE), np.float32)[::-1]
    for source, (columns, rows), target in zip(images, maps, rippled, strict=True):
        cv2.remap(source, columns, rows, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_REPLICATE)
    return rippled


@cache
def _map_basis() -> np.ndarray:
    """The basis of the maps, float32 (3 + knots², 784): x, y, 1, then the bump of each knot."""
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    return np.concatenate([np.stack([columns, rows, np.ones_like(rows)]).reshape(3, -1), bumps(ELASTIC_KNOTS)])


@cache
def bumps(knots: int) -> np.ndarray:
    """Smooth fields, float32 (knots², 784), each of which is 1 at one knot of a square grid and 0 at the others."""
    single = np.eye(knots**2, dtype=np.float32).reshape(-1, knots, knots)
    return np.stack([cv2.resize(knot, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).ravel() for knot in single])


def add_flags(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a flag at the top of each one, and a foot under some, as is common worldwide but rare in MNIST.

    A flag points down to the left at 30 to 70 degrees; less would make it a 7. The outer half of every other flag is
    flatter. The result is centred by its centre of mass, as MNIST is, which moves the stem to the right.

    Args:
        images: ones, uint8 (N, 28, 28).
    """
    flagged = images.copy()
    steepness = np.deg2rad(rng.uniform(30, 70, len(images)))
    straightness = np.minimum(1, rng.uniform(0, 2, len(images)))
    lengths, feet = rng.uniform(4, 11, len(images)), rng.uniform(3, 6, (len(images), 2))
    has_foot = rng.random(len(images)) < 0.3
    for index, image in enumerate(images):
        rows, columns = np.nonzero(image > 127)
        if not len(rows):
            continue
        one = image.copy()
        top, bottom = rows.min(), rows.max()
        # The stem's area divided by its length.
        width = max(1, round(len(rows) / (1 + np.hypot(bottom - top, np.ptp(columns)))))
        point = np.array([columns[rows == top].mean(), top + (width - 1) / 2])
        for angle in (steepness[index], straightness[index] * steepness[index]):
            start, point = point, point + lengths[index] / 2 * np.array([-np.cos(angle), np.sin(angle)])
            line(one, start, point, 255, width)
        if has_foot[index]:
            end = np.array([columns[rows == bottom].mean(), bottom - (width - 1) / 2])
            left, right = end + np.outer(feet[index] * (-1, 1), (1, 0))
            line(one, left, right, 255, width)
        move = np.round(_centre_of_mass(image) - _centre_of_mass(one))
        cv2.warpAffine(one, np.column_stack([np.eye(2), move]), (SIDE, SIDE), dst=flagged[index])
    return flagged


def _centre_of_mass(image: np.ndarray) -> np.ndarray:
    moments = cv2.moments(image)
    return np.array([moments["m10"], moments["m01"]]) / moments["m00"]


def line(image: np.ndarray, start: np.ndarray, end: np.ndarray, grey: int, width: int) -> None:
    """Draw an antialiased line between two points (x, y), in pixels and fractions, on uint8 (28, 28), in place."""
    first, last = (np.round(np.array(point) * 2**SUBPIXEL_BITS).astype(int).tolist() for point in (start, end))
    cv2.line(image, first, last, grey, width, cv2.LINE_AA, SUBPIXEL_BITS)


def change_stroke(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make the stroke of each image, uint8 (N, 28, 28), a pixel thicker or, if enough ink remains, thinner."""
    changed = images.copy()
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2, 2))
    thicker = rng.random(len(images)) < 0.5
    for image, thicken, target in zip(images, thicker, changed, strict=True):
        result = (cv2.dilate if thicken else cv2.erode)(image, kernel)
        if result.sum() > 0.4 * image.sum():
            target[:] = result
    return changed


def hollow(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Reduce each stroke, uint8 (N, 28, 28), to its outline, inside or outside its edge, and a share of its ink."""
    kernels = [cv2.getStructuringElement(shape, (3, 3)) for shape in (cv2.MORPH_CROSS, cv2.MORPH_RECT)]
    hollowed = np.empty_like(images)
    choices = rng.integers(0, 2, (len(images), 2)).tolist()
    shares = np.maximum(0, rng.uniform(-0.5, 0.5, len(images))).tolist()
    for image, (kernel, outside), share, target in zip(images, choices, shares, hollowed, strict=True):
        # Steepen the edge, so that the outline is dark rather than grey.
        steep = cv2.convertScaleAbs(np.maximum(image, 64), alpha=2, beta=-128)
        outer, inner = (
            (cv2.dilate(steep, kernels[kernel]), steep) if outside else (steep, cv2.erode(steep, kernels[kernel]))
        )
        cv2.addWeighted(outer - inner, 1.0, image, share, 0, dst=target)
    return hollowed
