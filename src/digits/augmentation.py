"""Random changes that leave a digit's label alone, each from a generic family, as training sees them.

Every function takes and gives uint8 (N, 28, 28), ink 255 on paper 0, and draws from the generator it is given. OpenCV
releases Python's lock, so a batch is made in one thread while the training step runs in others.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

SIDE = 28
CENTRE = (SIDE - 1) / 2
ELASTIC_KNOTS = 5


@dataclass(frozen=True)
class Augmentation:
    """How strongly each family acts; 0 switches it off. The card keeps these numbers as the record of what was seen.

    Attributes:
        rotation: largest turn, degrees either way.
        scale: largest change of size, a fraction; both axes together, and each by half as much again on its own.
        shear: largest horizontal shear, pixels a pixel.
        shift: largest shift, pixels along each axis.
        elastic: largest smooth displacement, pixels.
        stroke: share of the digits whose stroke is made thicker or thinner.
        contrast: largest loss of contrast, a fraction, taken from the ink or given to the paper.
        noise: largest standard deviation of Gaussian noise, grey levels.
        blur: largest standard deviation of Gaussian blur, pixels.
        cutout: share of the digits that lose a square of 4 to 8 pixels.
    """

    rotation: float = 0
    scale: float = 0
    shear: float = 0
    shift: float = 0
    elastic: float = 0
    stroke: float = 0
    contrast: float = 0
    noise: float = 0
    blur: float = 0
    cutout: float = 0

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change each of `images`, uint8 (N, 28, 28), on its own; the input stays as it was."""
        images = warp(images, rng, self)
        if self.stroke:
            images = change_stroke(images, rng, self.stroke)
        if self.blur:
            images = blur(images, rng, self.blur)
        if self.cutout:
            images = cut_out(images, rng, self.cutout)
        if self.contrast or self.noise:
            images = change_light(images, rng, self.contrast, self.noise)
        return images


LIGHT = Augmentation(rotation=12, scale=0.1, shear=0.1, shift=2)
STRONG = Augmentation(
    rotation=15,
    scale=0.15,
    shear=0.2,
    shift=2,
    elastic=1.2,
    stroke=0.2,
    contrast=0.5,
    noise=20,
    blur=0.7,
    cutout=0.1,
)
BY_NAME = {"none": None, "light": LIGHT, "strong": STRONG}


def warp(images: np.ndarray, rng: np.random.Generator, strength: Augmentation) -> np.ndarray:
    """Rotate, scale, shear, shift and, if asked for, bend each image, in one bilinear resampling."""
    count = len(images)
    angle = np.deg2rad(rng.uniform(-strength.rotation, strength.rotation, count))
    size = 1 + rng.uniform(-strength.scale, strength.scale, (count, 1))
    size = size * (1 + rng.uniform(-strength.scale / 2, strength.scale / 2, (count, 2)))
    shear = rng.uniform(-strength.shear, strength.shear, count)
    shift = rng.uniform(-strength.shift, strength.shift, (count, 2))

    cosine, sine = np.cos(angle), np.sin(angle)
    # Rows of the inverse map (output pixel to input pixel): rotation after shear after scaling, about the centre.
    matrices = np.empty((count, 2, 3), np.float32)
    matrices[:, 0, 0] = (cosine + shear * sine) / size[:, 0]
    matrices[:, 0, 1] = (sine - shear * cosine) / size[:, 0]
    matrices[:, 1, 0] = -sine / size[:, 1]
    matrices[:, 1, 1] = cosine / size[:, 1]
    matrices[:, :, 2] = CENTRE - matrices[:, :, :2].sum(axis=2) * CENTRE + shift

    warped = np.empty_like(images)
    if not strength.elastic:
        for source, matrix, target in zip(images, matrices, warped, strict=True):
            cv2.warpAffine(source, matrix, (SIDE, SIDE), dst=target, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return warped

    # A few random displacements, smooth in between, bend the digit as the blurred noise of Simard et al. (2003) does.
    bends = rng.uniform(-strength.elastic, strength.elastic, (count, 2, ELASTIC_KNOTS**2)).astype(np.float32)
    maps = (np.concatenate([matrices, bends], axis=2) @ _map_basis()).reshape(count, 2, SIDE, SIDE)
    for source, (columns, rows), target in zip(images, maps, warped, strict=True):
        cv2.remap(source, columns, rows, cv2.INTER_LINEAR, dst=target)
    return warped


@cache
def _map_basis() -> np.ndarray:
    """What one unit of each coefficient adds to a map, float32 (3 + knots, 784): x, y, 1, then each knot's bump."""
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    knots = np.eye(ELASTIC_KNOTS**2, dtype=np.float32).reshape(-1, ELASTIC_KNOTS, ELASTIC_KNOTS)
    bumps = [cv2.resize(knot, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for knot in knots]
    return np.stack([columns, rows, np.ones_like(rows), *bumps]).reshape(-1, SIDE * SIDE)


def change_stroke(images: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """Make the stroke of a `share` of the images about one pixel thicker or, if enough ink stays, thinner."""
    changed = images.copy()
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2, 2))
    chosen = np.flatnonzero(rng.random(len(images)) < share)
    thicker = rng.random(len(chosen)) < 0.5
    for index, thicken in zip(chosen, thicker, strict=True):
        result = (cv2.dilate if thicken else cv2.erode)(images[index], kernel)
        if result.sum() > 0.4 * images[index].sum():
            changed[index] = result
    return changed


def blur(images: np.ndarray, rng: np.random.Generator, largest_sigma: float) -> np.ndarray:
    """Blur a third of the images by a Gaussian of up to `largest_sigma` pixels."""
    blurred = images.copy()
    chosen = np.flatnonzero(rng.random(len(images)) < 1 / 3)
    for index, sigma in zip(chosen, rng.uniform(0.3, max(0.31, largest_sigma), len(chosen)), strict=True):
        cv2.GaussianBlur(images[index], (0, 0), sigma, dst=blurred[index])
    return blurred


def cut_out(images: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """Turn a square of 4 to 8 pixels into paper in a `share` of the images."""
    cut = images.copy()
    chosen = np.flatnonzero(rng.random(len(images)) < share)
    sizes = rng.integers(4, 9, len(chosen))
    corners = rng.integers(0, SIDE - sizes + 1, (2, len(chosen))).T
    for index, size, (top, left) in zip(chosen, sizes, corners, strict=True):
        cut[index, top : top + size, left : left + size] = 0
    return cut


def change_light(images: np.ndarray, rng: np.random.Generator, contrast: float, noise: float) -> np.ndarray:
    """Lower the contrast of a third of the images by up to `contrast`, add noise of up to `noise` levels to a third.

    What contrast is lost shows as fainter ink or as greyer paper, in random proportion.
    """
    count = len(images)
    lost = rng.uniform(0, contrast, count) * (rng.random(count) < 1 / 3)
    paper = lost * rng.random(count) * 255
    sigma = rng.uniform(0, noise, count) * (rng.random(count) < 1 / 3)
    grey = images * (1 - lost[:, None, None]).astype(np.float32) + paper[:, None, None].astype(np.float32)
    grey += sigma[:, None, None].astype(np.float32) * rng.standard_normal(images.shape, np.float32)
    return np.clip(grey + 0.5, 0, 255).astype(np.uint8)
