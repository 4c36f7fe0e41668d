"""Does an attribution tell what the model really looks at? Figures for each image, the same for every method.

An attribution is judged as signed maps at 28×28, `Attribution.signed`. What a score is: see `attribution.models`.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import softmax

from digits.explanations.attribution import ExportedModel, KerasModel
from digits.images import to_input
from digits.metrics import intervals

# What takes the place of a pixel. Each suits digits in its way: the first only ever takes ink away, the second only
# adds ink, the third does both.
FILLINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "paper": np.zeros_like,
    "ink": np.ones_like,
    "inverted": lambda ink: 1 - ink,
}
SIZES = (16, 64, 192)
SHIFTS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def ranks(maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each pixel's place, 0 the first, when pixels go by falling value; ties in random order.

    Coarse maps and maps that are zero on paper have many ties; in the order of the pixels, all of them would favour
    the top left corner.
    """
    flat = maps.reshape(len(maps), -1)
    order = np.lexsort((rng.random(flat.shape), -flat), axis=1)
    places = np.empty(flat.shape, int)
    np.put_along_axis(places, order, np.arange(flat.shape[1])[None], axis=1)
    return places.reshape(maps.shape)


def random_maps(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The baseline that any method must beat: pixels in random order."""
    return rng.random(images.shape)


def ink_maps(images: np.ndarray) -> np.ndarray:
    """The baseline that knows the image but not the model: the ink itself."""
    return images / np.float32(255)


def curves(
    model: KerasModel | ExportedModel,
    images: np.ndarray,
    targets: np.ndarray,
    places: np.ndarray,
    filling: str,
    steps: int = 28,
) -> tuple[np.ndarray, np.ndarray]:
    """Deletion and insertion (Petsiuk et al. 2018): the target's probability as pixels go, and as they come back.

    Args:
        images: uint8 (N, 28, 28).
        targets: classes, (N,).
        places: the pixels' order, (N, 28, 28), as `ranks` gives it.
        filling: one of `FILLINGS`: what stands where a pixel is gone.

    Returns:
        Probabilities, (N, steps + 1) each: from the image to the filling, and from the filling to the image.
    """
    ink = to_input(images)
    filled = FILLINGS[filling](ink)
    counts = np.linspace(0, ink[0].size, steps + 1)
    first = places[..., None]

    def probabilities(mixed: np.ndarray) -> np.ndarray:
        return softmax(model.logits(mixed), axis=1)[np.arange(len(targets)), targets]

    deletion = [probabilities(np.where(first < count, filled, ink)) for count in counts]
    insertion = [probabilities(np.where(first < count, ink, filled)) for count in counts]
    return np.stack(deletion, axis=1), np.stack(insertion, axis=1)


def area(curve: np.ndarray) -> np.ndarray:
    """The area under curves, (N, points), over an axis from 0 to 1: (N,)."""
    return np.trapezoid(curve, dx=1 / (curve.shape[1] - 1), axis=1)


def sensitivity(
    model: KerasModel | ExportedModel,
    images: np.ndarray,
    targets: np.ndarray,
    maps: dict[str, np.ndarray],
    rng: np.random.Generator,
    subsets: int = 100,
) -> dict[str, np.ndarray]:
    """Sensitivity-n (Ancona et al. 2018): how far a map's sum over random pixels tells what their loss costs.

    For n of `SIZES`, `subsets` random sets of n pixels turn to paper; the correlation between the fall of the target's
    logit and the sum of the map over the set is averaged over the sizes.

    Args:
        maps: signed maps, (N, 28, 28), of several methods by name, which are judged by the same sets.

    Returns:
        Correlations, (N,), by method.
    """
    ink = to_input(images)
    before = model.logits(ink)[np.arange(len(targets)), targets]
    found = {name: np.zeros(len(images)) for name in maps}
    for size in SIZES:
        places = np.argsort(rng.random((subsets, ink[0].size)), axis=1)
        gone = (places < size).reshape(subsets, *ink.shape[1:])
        falls = np.stack(
            [
                score - model.logits(image * ~gone)[:, target]
                for image, target, score in zip(ink, targets, before, strict=True)
            ]
        )
        for name, each in maps.items():
            sums = each.reshape(len(each), -1) @ gone.reshape(subsets, -1).T
            found[name] += intervals.correlations(falls, sums) / len(SIZES)
    return found


def stability(explain: Callable[[np.ndarray], np.ndarray], images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """How alike the maps stay when the image moves by a pixel, to each of four sides, and the map is moved back.

    Args:
        explain: images to signed maps, (N, 28, 28), for the classes of `maps`.
        maps: the signed maps of the images where they are, and perhaps of more.

    Returns:
        Correlations, (N,), averaged over the sides.
    """
    total = np.zeros(len(images))
    for shift in SHIFTS:
        moved = explain(np.roll(images, shift, axis=(1, 2)))
        back = np.roll(moved, (-shift[0], -shift[1]), axis=(1, 2))
        total += intervals.correlations(maps[: len(images)], back) / len(SHIFTS)
    return total
