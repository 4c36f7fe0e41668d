"""Attributions from masked images, which need only the model's answers and so work on any model."""

import cv2
import numpy as np

from digits.explanations.attribution.models import ExplainableModel
from digits.images import SIDE


def resize(raw: np.ndarray) -> np.ndarray:
    """A map, float (h, w), resized to 28×28 by bilinear interpolation between pixel centres."""
    return cv2.resize(raw, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def resize_all(raw: np.ndarray) -> np.ndarray:
    """Maps, float (N, h, w), each resized to 28×28."""
    return np.stack([resize(each) for each in raw])


def occlusion(
    model: ExplainableModel, ink: np.ndarray, weights: np.ndarray, patch: int = 4, stride: int = 2
) -> np.ndarray:
    """The fall of the score when a patch is erased (Zeiler and Fergus 2014), averaged over all patches on a pixel.

    Raises:
        ValueError: the patch or the stride has no such size.
    """
    if not (1 <= patch <= SIDE and stride >= 1):
        raise ValueError(f"expected a patch of 1 to {SIDE} pixels and a stride of at least 1, got {patch} and {stride}")
    starts = range(0, SIDE - patch + 1, stride)
    covers = np.zeros((len(starts) ** 2, SIDE, SIDE), ink.dtype)
    for cover, (row, column) in zip(covers, ((row, column) for row in starts for column in starts), strict=True):
        cover[row : row + patch, column : column + patch] = 1
    times_covered = np.maximum(covers.sum(axis=0), 1)
    scores = (model.logits(ink) * weights).sum(axis=1)
    raw = np.empty(ink.shape[:3], ink.dtype)
    for image, image_weights, score, out in zip(ink, weights, scores, raw, strict=True):
        falls = score - model.logits(image * (1 - covers)[..., None]) @ image_weights
        out[:] = np.tensordot(falls, covers, axes=1) / times_covered
    return raw


def rise(
    model: ExplainableModel,
    ink: np.ndarray,
    weights: np.ndarray,
    rng: np.random.Generator,
    masks: int = 1000,
    cells: int = 7,
) -> np.ndarray:
    """RISE (Petsiuk et al. 2018): how the score depends on a pixel's visibility under random masks.

    Masks are random grids of `cells` by `cells`, half of them open, enlarged and shifted; all images get the same. The
    paper averages the scores weighted by the masks. Here the map is the covariance of mask and score divided by the
    variance of the mask, which doesn't depend on the mean score and has a sign.
    """
    cell = -(-SIDE // cells)
    seen = np.empty((masks, SIDE, SIDE), ink.dtype)
    for mask in seen:
        grid = (rng.random((cells + 1, cells + 1)) < 0.5).astype(ink.dtype)
        enlarged = cv2.resize(grid, ((cells + 1) * cell,) * 2, interpolation=cv2.INTER_LINEAR)
        row, column = rng.integers(cell, size=2)
        mask[:] = enlarged[row : row + SIDE, column : column + SIDE]
    deviations = seen - seen.mean(axis=0)
    variance = (deviations**2).mean(axis=0)
    raw = np.empty(ink.shape[:3], ink.dtype)
    for image, image_weights, out in zip(ink, weights, raw, strict=True):
        scores = model.logits(image * seen[..., None]) @ image_weights
        covariance = np.tensordot(scores - scores.mean(), deviations, axes=1) / masks
        out[:] = np.divide(covariance, variance, out=np.zeros_like(out), where=variance > 0)
    return raw
