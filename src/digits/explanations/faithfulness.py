"""How faithful attributions are to the model: figures for each image, measured alike for every method.

Maps are signed maps at 28×28, float (N, 28, 28), as `Attribution.signed` gives them.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import softmax

from digits.explanations.attribution import ExplainableModel
from digits.images import to_input
from digits.metrics import intervals

# What replaces a pixel. The first only removes ink, the second only adds ink, the third does both.
FILLINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "paper": np.zeros_like,
    "ink": np.ones_like,
    "inverted": lambda ink: 1 - ink,
}
SIZES = (16, 64, 192)
SHIFTS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def ranks(maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each pixel's rank by falling value, int (N, 28, 28) from 0; ties in random order.

    Coarse maps, and maps that are zero on paper, have many ties. Ranked in pixel order, they would favour the top left
    corner.
    """
    flat = maps.reshape(len(maps), -1)
    order = np.lexsort((rng.random(flat.shape), -flat), axis=1)
    found = np.empty(flat.shape, int)
    np.put_along_axis(found, order, np.arange(flat.shape[1])[None], axis=1)
    return found.reshape(maps.shape)


def random_maps(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The baseline that any method must beat: pixels in random order, float (N, 28, 28)."""
    return rng.random(images.shape)


def ink_maps(images: np.ndarray) -> np.ndarray:
    """The baseline that knows the image but not the model: the ink itself, float32 (N, 28, 28) in [0, 1]."""
    return images / np.float32(255)


def curves(
    model: ExplainableModel,
    images: np.ndarray,
    targets: np.ndarray,
    pixel_ranks: np.ndarray,
    filling: str,
    steps: int = 28,
) -> tuple[np.ndarray, np.ndarray]:
    """Deletion and insertion (Petsiuk et al. 2018): the target's probability as pixels are replaced, and restored.

    Args:
        images: uint8 (N, 28, 28).
        targets: the classes explained, int (N,).
        pixel_ranks: the order of the pixels, int (N, 28, 28), as `ranks` returns it.
        filling: what replaces a pixel, one of `FILLINGS`.

    Returns:
        Probabilities, (N, steps + 1) each: from the image to the filling, and from the filling to the image.
    """
    ink = to_input(images)
    filled = FILLINGS[filling](ink)
    counts = np.linspace(0, ink[0].size, steps + 1)
    rank = pixel_ranks[..., None]

    def probabilities(mixed: np.ndarray) -> np.ndarray:
        return softmax(model.logits(mixed), axis=1)[np.arange(len(targets)), targets]

    deletion = [probabilities(np.where(rank < count, filled, ink)) for count in counts]
    insertion = [probabilities(np.where(rank < count, ink, filled)) for count in counts]
    return np.stack(deletion, axis=1), np.stack(insertion, axis=1)


def area(curve: np.ndarray) -> np.ndarray:
    """The areas, (N,), under curves, (N, points), over an axis from 0 to 1."""
    return np.trapezoid(curve, dx=1 / (curve.shape[1] - 1), axis=1)


def sensitivity(
    model: ExplainableModel,
    images: np.ndarray,
    targets: np.ndarray,
    maps: dict[str, np.ndarray],
    rng: np.random.Generator,
    subsets: int = 100,
) -> dict[str, np.ndarray]:
    """Sensitivity-n (Ancona et al. 2018): how well a map's sum over random pixels predicts the effect of erasing them.

    For each n in `SIZES`, `subsets` random sets of n pixels are erased. The correlation between the fall of the
    target's logit and the map's sum over the set is averaged over the sizes.

    Args:
        images: uint8 (N, 28, 28).
        targets: the classes explained, int (N,).
        maps: the maps by method; all methods are measured on the same sets.

    Returns:
        Correlations, float (N,), by method.
    """
    ink = to_input(images)
    before = model.logits(ink)[np.arange(len(targets)), targets]
    found = {name: np.zeros(len(images)) for name in maps}
    for size in SIZES:
        random_ranks = np.argsort(rng.random((subsets, ink[0].size)), axis=1)
        erased = (random_ranks < size).reshape(subsets, *ink.shape[1:])
        falls = np.stack(
            [
                score - model.logits(image * ~erased)[:, target]
                for image, target, score in zip(ink, targets, before, strict=True)
            ]
        )
        for name, each in maps.items():
            sums = each.reshape(len(each), -1) @ erased.reshape(subsets, -1).T
            found[name] += intervals.correlations(falls, sums) / len(SIZES)
    return found


def stability(explain: Callable[[np.ndarray], np.ndarray], images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """How similar the maps stay when images move by a pixel, in each of four directions, and the maps are moved back.

    Args:
        explain: from images to maps of the same classes as `maps`.
        images: uint8 (N, 28, 28).
        maps: the maps of the unmoved images first, and perhaps more.

    Returns:
        Correlations, float (N,), averaged over the directions.
    """
    total = np.zeros(len(images))
    for shift in SHIFTS:
        moved = explain(np.roll(images, shift, axis=(1, 2)))
        back = np.roll(moved, (-shift[0], -shift[1]), axis=(1, 2))
        total += intervals.correlations(maps[: len(images)], back) / len(SHIFTS)
    return total
