"""Attributions by covering parts of the ink: they only ask for answers, so they work on any model."""

import cv2
import numpy as np

SIDE = 28


def resize(raw: np.ndarray) -> np.ndarray:
    """A map, (h, w), at 28×28: bilinear between the centres of its cells."""
    return cv2.resize(raw, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def resize_all(raw: np.ndarray) -> np.ndarray:
    """Maps, (N, h, w), each resized to 28×28."""
    return np.stack([resize(each) for each in raw])


def occlusion(model, ink: np.ndarray, weights: np.ndarray, patch: int = 4, stride: int = 2) -> np.ndarray:
    """What the score loses when a patch turns into paper (Zeiler and Fergus 2014), averaged over a pixel's patches."""
    if not (1 <= patch <= SIDE and stride >= 1):
        raise ValueError(f"expected a patch of 1 to {SIDE} pixels and a stride of at least 1, got {patch} and {stride}")
    starts = range(0, SIDE - patch + 1, stride)
    covers = np.zeros((len(starts) ** 2, SIDE, SIDE), ink.dtype)
    for cover, (row, column) in zip(covers, ((row, column) for row in starts for column in starts), strict=True):
        cover[row : row + patch, column : column + patch] = 1
    times_covered = np.maximum(covers.sum(axis=0), 1)
    scores = (model.logits(ink) * weights).sum(axis=1)
    raw = np.empty(ink.shape[:3], ink.dtype)
    for image, image_weights, score, target in zip(ink, weights, scores, raw, strict=True):
        losses = score - model.logits(image * (1 - covers)[..., None]) @ image_weights
        target[:] = np.tensordot(losses, covers, axes=1) / times_covered
    return raw


def rise(
    model, ink: np.ndarray, weights: np.ndarray, rng: np.random.Generator, masks: int = 1000, cells: int = 7
) -> np.ndarray:
    """Randomised masks (RISE, Petsiuk et al. 2018): how a pixel's visibility and the score vary together.

    Masks are coarse random grids of `cells` by `cells`, half of them open, enlarged and shifted. In place of the
    paper's mean score weighted by the masks stands its deviation from the mean over all masks: the covariance divided
    by the variance, which leaves the score's own level out and so has a sign. All images get the same masks.
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
    for image, image_weights, target in zip(ink, weights, raw, strict=True):
        scores = model.logits(image * seen[..., None]) @ image_weights
        covariance = np.tensordot(scores - scores.mean(), deviations, axes=1) / masks
        target[:] = np.divide(covariance, variance, out=np.zeros_like(target), where=variance > 0)
    return raw
