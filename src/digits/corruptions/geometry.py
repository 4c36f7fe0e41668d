"""Geometric corruptions: rotation, shear, scale, translation, elastic deformation."""

import cv2
import numpy as np

from digits.corruptions.pixels import CENTRE, blurred_deviation
from digits.corruptions.streams import Streams
from digits.images import SIDE


def rotate(images: np.ndarray, degrees: float, streams: Streams) -> np.ndarray:
    """Rotate to the left or the right by `degrees`, about the centre."""
    angle = np.deg2rad(degrees) * streams.signs()
    matrices = np.empty((len(images), 2, 2), np.float32)
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angle)
    matrices[:, 0, 1] = np.sin(angle)
    matrices[:, 1, 0] = -matrices[:, 0, 1]
    return _warp(images, matrices)


def shear(images: np.ndarray, degrees: float, streams: Streams) -> np.ndarray:
    """Slant to the left or the right by `degrees`, about the centre.

    A vertical line keeps its length along the slant, as in the version of scikit-image that MNIST-C was made with: the
    image is sheared by the angle's sine and stretched vertically by 1 / cosine.
    """
    angle = np.deg2rad(degrees) * streams.signs()
    matrices = _identity_matrices(len(images))
    matrices[:, 0, 1] = np.sin(angle)
    matrices[:, 1, 1] = np.cos(angle)
    return _warp(images, matrices)


def scale(images: np.ndarray, percent: float, streams: Streams) -> np.ndarray:
    """Shrink to `percent` of the size, about the centre."""
    return _warp(images, _identity_matrices(len(images)) * (100 / percent))


def translate(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Translate by `pixels` to the left or right and by as much up or down."""
    return _warp(images, _identity_matrices(len(images)), pixels * streams.signs(2))


def _identity_matrices(count: int) -> np.ndarray:
    return np.tile(np.eye(2, dtype=np.float32), (count, 1, 1))


def _warp(images: np.ndarray, matrices: np.ndarray, shift: float | np.ndarray = 0) -> np.ndarray:
    """Resample bilinearly: `matrices`, (N, 2, 2), map a pixel to its source, about the centre, before a `shift`."""
    whole = np.empty((len(images), 2, 3), np.float32)
    whole[:, :, :2] = matrices
    whole[:, :, 2] = CENTRE - matrices.sum(axis=2) * CENTRE - shift
    warped = np.empty_like(images)
    for image, matrix, target in zip(images, whole, warped, strict=True):
        cv2.warpAffine(image, matrix, (SIDE, SIDE), dst=target, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return warped


def elastic(images: np.ndarray, pixels: float, streams: Streams) -> np.ndarray:
    """Elastic deformation by smooth noise (Simard et al. 2003).

    The displacements are noise blurred by a Gaussian of 4 pixels, with a root mean square of `pixels` along each axis.
    """
    smoothness = 4.0
    displacement = streams.normal(SIDE, SIDE, 2)
    strength = np.float32(pixels) / blurred_deviation(smoothness)[:, :, None]
    rows, columns = np.indices((SIDE, SIDE), np.float32)
    bent = np.empty_like(images)
    for image, noise, target in zip(images, displacement, bent, strict=True):
        smooth = cv2.GaussianBlur(noise, (0, 0), smoothness) * strength
        cv2.remap(image, columns + smooth[:, :, 0], rows + smooth[:, :, 1], cv2.INTER_LINEAR, dst=target)
    return bent


def rotate_and_translate(images: np.ndarray, degrees: float, right: float, down: float) -> np.ndarray:
    """Rotate images, uint8 (N, 28, 28), clockwise about the centre, then translate by pixels, in one resampling."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    source = matrix @ (right, down)
    return _warp(images, np.tile(matrix, (len(images), 1, 1)), source)
