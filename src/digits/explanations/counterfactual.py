"""The least that would have to be different: the fewest pixels whose change turns one digit into another."""

from dataclasses import dataclass

import numpy as np

from digits.explanations.attribution import ExportedModel, KerasModel
from digits.explanations.shapley import flip, single_pixel_changes
from digits.images import to_input


@dataclass(frozen=True)
class Counterfactual:
    """An image changed until the model answers `target`.

    Attributes:
        image: the changed image, uint8 (28, 28).
        changed: which pixels were flipped, bool (28, 28).
        answer: what the model says to the changed image.
        target: what it was to say.
        greedy_pixels: pixels flipped before the needless ones were put back.
    """

    image: np.ndarray
    changed: np.ndarray
    answer: int
    target: int
    greedy_pixels: int

    @property
    def found(self) -> bool:
        """Whether the model, asked again, answers the target."""
        return self.answer == self.target


def find(model: KerasModel | ExportedModel, image: np.ndarray, target: int, limit: int = 100) -> Counterfactual:
    """Flip pixels, each time the one that brings `target` furthest ahead of every other class, then prune.

    Pruning puts back pixels, each time the one whose loss leaves the target furthest ahead, while it stays ahead.

    Args:
        image: uint8 (28, 28).
        target: the class to reach.
        limit: give up after so many pixels.

    Raises:
        ValueError: the model answers `target` already.
    """
    changed = np.zeros(image.shape, bool)
    if _answer(model, image) == target:
        raise ValueError(f"{model.name} answers {target} to this image already")
    current = image.copy()
    while changed.sum() < min(limit, image.size) and _leads(model, current[None], target)[0] <= 0:
        leads = _leads(model, single_pixel_changes(current), target)
        # A pixel that was flipped stays flipped, so that the search ends.
        pixel = np.unravel_index(np.where(changed.ravel(), -np.inf, leads).argmax(), image.shape)
        changed[pixel] = True
        current = np.where(changed, flip(image), image)
    greedy = int(changed.sum())
    while _leads(model, current[None], target)[0] > 0:
        pixels = np.argwhere(changed)
        without = np.tile(current, (len(pixels), 1, 1))
        for each, (row, column) in zip(without, pixels, strict=True):
            each[row, column] = image[row, column]
        leads = _leads(model, without, target)
        if leads.max() <= 0:
            break
        changed[tuple(pixels[leads.argmax()])] = False
        current = without[leads.argmax()]
    return Counterfactual(current, changed, _answer(model, current), target, greedy)


def pixels_in_random_order(
    model: KerasModel | ExportedModel, image: np.ndarray, target: int, rng: np.random.Generator, orders: int = 20
) -> np.ndarray:
    """How many pixels must be flipped in random orders until the model answers `target`.

    Returns:
        Counts, float (orders,); infinite where it doesn't answer so before all 784 are flipped.
    """
    counts = np.full(orders, np.inf)
    for place in range(orders):
        ranks = rng.permutation(image.size).reshape(image.shape)
        images = np.where(ranks < np.arange(1, image.size + 1)[:, None, None], flip(image), image)
        reached = np.flatnonzero(_leads(model, images, target) > 0)
        if len(reached):
            counts[place] = reached[0] + 1
    return counts


def compare_with_random_order(
    model: KerasModel | ExportedModel, images: np.ndarray, target: int, rng: np.random.Generator, orders: int = 5
) -> dict:
    """How many pixels it takes to turn images into `target`, and how many in random order.

    Returns:
        `images`, how many were `found`; of those the `median`, `least` and `most` pixels, None if none was; how many
        `random_orders` were tried, in how many the model `random_reached` the target at all, and the `random_least`
        pixels of those.
    """
    found = [each for each in (find(model, image, target) for image in images) if each.found]
    pixels = [int(each.changed.sum()) for each in found]
    counts = [pixels_in_random_order(model, image, target, rng, orders) for image in images]
    reached = [int(count) for count in np.ravel(counts) if np.isfinite(count)]
    return {
        "target": target,
        "images": len(images),
        "found": len(found),
        "median": float(np.median(pixels)) if pixels else None,
        "least": min(pixels, default=None),
        "most": max(pixels, default=None),
        "random_orders": orders * len(images),
        "random_reached": len(reached),
        "random_least": min(reached, default=None),
    }


def _answer(model: KerasModel | ExportedModel, image: np.ndarray) -> int:
    return int(model.logits(to_input(image[None]))[0].argmax())


def _leads(model: KerasModel | ExportedModel, images: np.ndarray, target: int) -> np.ndarray:
    """By how much the target's logit is ahead of the highest other, (N,)."""
    logits = model.logits(to_input(images))
    return logits[:, target] - np.delete(logits, target, axis=1).max(axis=1)
