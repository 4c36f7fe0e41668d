"""Counterfactuals: the fewest pixels whose change makes a model answer another digit."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from digits.explanations.attribution import ExplainableModel
from digits.explanations.shapley import flip, single_pixel_changes
from digits.images import to_input


@dataclass(frozen=True)
class Counterfactual:
    """An image changed until the model answers `target`.

    Attributes:
        image: the changed image, uint8 (28, 28).
        changed: the pixels that were flipped, bool (28, 28).
        answer: the model's answer to the changed image.
        target: the answer to reach.
        greedy_pixels: the number of pixels flipped before pruning.
    """

    image: np.ndarray
    changed: np.ndarray
    answer: int
    target: int
    greedy_pixels: int

    @property
    def found(self) -> bool:
        """Whether the model answers the target."""
        return self.answer == self.target


def find(model: ExplainableModel, image: np.ndarray, target: int, limit: int = 100) -> Counterfactual:
    """Flip pixels greedily until the model answers `target`, then prune.

    Each step flips the pixel that most raises the target's lead, its logit minus the highest other. Pruning restores
    pixels, each time the one that leaves the largest lead, as long as the lead stays positive.

    Args:
        image: uint8 (28, 28).
        target: the class to reach.
        limit: the number of pixels after which the search stops.

    Raises:
        ValueError: the model answers `target` already.
    """
    changed = np.zeros(image.shape, bool)
    if _answer(model, image) == target:
        raise ValueError(f"{model.name} answers {target} to this image already")
    current = image.copy()
    while changed.sum() < min(limit, image.size) and _leads(model, current[None], target)[0] <= 0:
        leads = _leads(model, single_pixel_changes(current), target)
        # A flipped pixel stays flipped, so that the search ends.
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
    model: ExplainableModel, image: np.ndarray, target: int, rng: np.random.Generator, orders: int = 20
) -> np.ndarray:
    """The number of pixels, flipped in random order, until the model answers `target`.

    Args:
        image: uint8 (28, 28).

    Returns:
        Counts, float (orders,); infinite where even all 784 pixels don't reach it.
    """
    counts = np.full(orders, np.inf)
    for order in range(orders):
        ranks = rng.permutation(image.size).reshape(image.shape)
        images = np.where(ranks < np.arange(1, image.size + 1)[:, None, None], flip(image), image)
        reached = np.flatnonzero(_leads(model, images, target) > 0)
        if len(reached):
            counts[order] = reached[0] + 1
    return counts


def compare_with_random_order(
    model: ExplainableModel, images: np.ndarray, target: int, rng: np.random.Generator, orders: int = 5
) -> dict:
    """The number of pixels that turn images into `target`, by counterfactuals and in random order.

    Args:
        images: uint8 (N, 28, 28).

    Returns:
        The `target`, the number of `images` and of counterfactuals `found`; their `median`, `least` and `most` pixels;
        the number of `random_orders`, of those that `random_reached` the target, and their `random_least` pixels. What
        doesn't exist is None.
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


def comparison_text(turned: Mapping) -> str:
    """What `compare_with_random_order` found for fours that are to become nines, in words; empty without fours."""
    if not turned["images"]:
        return ""
    if turned["random_reached"]:
        chance = (
            f"{turned['random_reached']} of {turned['random_orders']} tries succeeded, none with fewer than "
            f"{turned['random_least']:g} pixels"
        )
    else:
        chance = f"none of {turned['random_orders']} tries succeeded, even with all 784 pixels changed"
    if not turned["found"]:
        return f"None of {turned['images']} fours could be turned into a nine. In random order, {chance}."
    return (
        f"Of {turned['images']} fours, {turned['found']} were turned into nines by {turned['least']} to "
        f"{turned['most']} pixels (median {turned['median']:g}). In random order, {chance}."
    )


def _answer(model: ExplainableModel, image: np.ndarray) -> int:
    return int(model.logits(to_input(image[None]))[0].argmax())


def _leads(model: ExplainableModel, images: np.ndarray, target: int) -> np.ndarray:
    """The target's logit minus the highest other, (N,)."""
    logits = model.logits(to_input(images))
    return logits[:, target] - np.delete(logits, target, axis=1).max(axis=1)
