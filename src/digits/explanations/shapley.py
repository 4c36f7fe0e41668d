"""Ground truth for explanations, feasible on small images: single-pixel changes and exact Shapley values of patches."""

from math import factorial

import numpy as np

from digits.explanations.attribution import ExplainableModel
from digits.images import to_input

# Coalitions per call of the model.
CHUNK = 4096
# Patches along a side: 16 patches of 7×7 pixels, 65,536 coalitions.
GRID = 4
PATCHES = np.kron(np.arange(GRID**2).reshape(GRID, GRID), np.ones((28 // GRID, 28 // GRID), int))


def flip(image: np.ndarray) -> np.ndarray:
    """An image, uint8, with each pixel flipped: ink becomes paper, and paper ink."""
    return np.where(image < 128, 255, 0).astype(np.uint8)


def single_pixel_changes(image: np.ndarray) -> np.ndarray:
    """All 784 images, uint8 (784, 28, 28), that differ from `image`, uint8 (28, 28), by one pixel flipped."""
    changed = np.tile(image.ravel(), (image.size, 1))
    np.fill_diagonal(changed, flip(image))
    return changed.reshape(-1, *image.shape)


def single_pixel_effects(model: ExplainableModel, image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What flipping each pixel adds to a score, float (28, 28).

    Args:
        image: uint8 (28, 28).
        weights: the weights of the logits in the score, (classes,).
    """
    images = np.concatenate([image[None], single_pixel_changes(image)])
    scores = model.logits(to_input(images)) @ weights
    return (scores[1:] - scores[0]).reshape(image.shape)


def patch_sums(maps: np.ndarray) -> np.ndarray:
    """The sums of maps, (N, 28, 28), over each patch: (N, 4, 4)."""
    side = 28 // GRID
    return maps.reshape(len(maps), GRID, side, GRID, side).sum(axis=(2, 4))


def exact_shapley(model: ExplainableModel, image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Shapley values (1953) of a 4×4 grid of patches, float (4, 4): each patch's fair share of a score.

    A patch in a coalition shows its ink; the others are blank. Patches without ink have the value 0 and take no part,
    so with k other patches the model is run on 2^k coalitions, at most 65,536.

    Args:
        image: uint8 (28, 28).
        weights: the weights of the logits in the score, (classes,).

    Returns:
        Values whose sum is the score minus that of a blank image.
    """
    ink = to_input(image[None])[0]
    players = np.unique(PATCHES[image > 0])
    coalitions = (np.arange(2 ** len(players))[:, None] >> np.arange(len(players))) & 1
    member = np.zeros((len(coalitions), GRID**2), np.float32)
    member[:, players] = coalitions
    worth = np.concatenate(
        [
            model.logits(ink * member[start : start + CHUNK][:, PATCHES][..., None]) @ weights
            for start in range(0, len(member), CHUNK)
        ]
    )
    values = np.zeros(GRID**2)
    sizes, count = coalitions.sum(axis=1), len(players)
    shares = np.array([factorial(size) * factorial(count - size - 1) / factorial(count) for size in range(count)])
    for bit, player in enumerate(players):
        without = np.flatnonzero(coalitions[:, bit] == 0)
        values[player] = shares[sizes[without]] @ (worth[without | (1 << bit)] - worth[without])
    return values.reshape(GRID, GRID)
