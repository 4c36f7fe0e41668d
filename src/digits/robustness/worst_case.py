"""Worst cases: rotations and translations, pairs of corruptions, and the lowest severity that changes an answer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations, product

import numpy as np

from digits.checkpoints.recognizer import Classifier
from digits.corruptions import CORRUPTIONS, SEVERITIES, corrupt, geometry
from digits.data import Digits, evenly_spaced
from digits.metrics import intervals
from digits.robustness.plan import Plan

# Engstrom et al.'s (2019) grid for MNIST: 31 rotations within ±30 degrees, 5 translations within ±3 pixels per axis.
ROTATIONS = tuple(np.linspace(-30, 30, 31).tolist())
TRANSLATIONS = (-3.0, -1.5, 0.0, 1.5, 3.0)
GRID = tuple(product(ROTATIONS, TRANSLATIONS, TRANSLATIONS))
PAIR_SEVERITY = 1


def correct_at_every_position(recogniser: Classifier, digits: Digits) -> np.ndarray:
    """Which digits a model classifies correctly at every rotation and translation of the grid, bool (N,)."""
    remaining = np.arange(len(digits))
    for degrees, right, down in GRID:
        moved = geometry.rotate_and_translate(digits.images[remaining], degrees, right, down)
        answers = recogniser.predict_proba(moved).argmax(axis=1)
        # One error is enough, so that digit needn't be moved any further.
        remaining = remaining[answers == digits.labels[remaining]]
    return np.isin(np.arange(len(digits)), remaining)


def evaluate_pairs(
    recognisers: Sequence[Classifier],
    digits: Digits,
    indices: np.ndarray,
    corruptions: Iterable[str],
    seed: int,
    progress: Callable[[Iterable], Iterable],
) -> dict[tuple[str, str], np.ndarray]:
    """Classify digits under every two corruptions, one after the other, each at severity 1.

    Args:
        indices: int (N,), the digits' indices in their data set.
        corruptions: names.
        progress: wraps the list of pairs, for example `tqdm`.

    Returns:
        By pair, in the order in which the two are applied, which answers are correct, bool (models, N).
    """
    correct = {}
    for first, second in progress(list(combinations(corruptions, 2))):
        once = corrupt(digits.images, first, PAIR_SEVERITY, seed, indices)
        twice = corrupt(once, second, PAIR_SEVERITY, seed, indices)
        answers = np.stack([recogniser.predict_proba(twice).argmax(axis=1) for recogniser in recognisers])
        correct[first, second] = answers == digits.labels
    return correct


def all_corruptions(image: np.ndarray, seed: int) -> np.ndarray:
    """One image, uint8 (28, 28), under every corruption at severities 0 to 5: uint8 (corruptions, 6, 28, 28)."""
    return np.stack(
        [
            np.concatenate([corrupt(image[None], name, severity, seed) for severity in (0, *SEVERITIES)])
            for name in CORRUPTIONS
        ]
    )


def predict_corrupted(recogniser: Classifier, images: np.ndarray) -> np.ndarray:
    """A model's probabilities, float32 (corruptions, 6, 10), for images from `all_corruptions`."""
    return recogniser.predict_proba(images.reshape(-1, 28, 28)).reshape(*images.shape[:2], 10)


def least_flipping_severity(probabilities: np.ndarray) -> dict[str, int | None]:
    """By corruption, the lowest severity at which the answer differs from that to the clean image, or None.

    Args:
        probabilities: from `predict_corrupted`, float (corruptions, 6, 10).
    """
    answers = probabilities.argmax(axis=2)
    flipped = answers != answers[:, :1]
    return {name: int(row.argmax()) if row.any() else None for name, row in zip(CORRUPTIONS, flipped, strict=True)}


def measure(
    recognisers: Sequence[Classifier], plan: Plan, count: int, progress: Callable[[Iterable], Iterable]
) -> dict:
    """Worst-case accuracies on a sweep's digits, as fractions with Wilson's intervals, as its report shows them.

    Args:
        count: number of digits to use, evenly spaced.
        progress: wraps what is iterated over, for example `tqdm`.

    Returns:
        `images`, `positions`, `pairs`, and `by_pair`, a row per pair; the last two are empty with a single corruption.
    """
    digits, chosen = evenly_spaced(plan.digits, count)
    moved = {each.name: correct_at_every_position(each, digits) for each in progress(recognisers)}
    kinds = [each.name for each in plan.corruptions]
    pairs = evaluate_pairs(recognisers, digits, plan.indices[chosen], kinds, plan.seed, progress)
    names = [each.name for each in recognisers]
    return {
        "images": len(digits),
        "positions": {
            "degrees": ROTATIONS,
            "pixels": TRANSLATIONS,
            "count": len(GRID),
            "models": {name: asdict(intervals.wilson_estimate(correct)) for name, correct in moved.items()},
        },
        "pairs": _summary_of_pairs(names, pairs) if pairs else {},
        "by_pair": [
            {"first": first, "then": then, **dict(zip(names, correct.mean(axis=1).tolist(), strict=True))}
            for (first, then), correct in pairs.items()
        ],
    }


def _summary_of_pairs(names: Sequence[str], pairs: Mapping[tuple[str, str], np.ndarray]) -> dict:
    applied, correct = list(pairs), np.stack(list(pairs.values()))
    accuracy, every_pair = correct.mean(axis=2), correct.min(axis=0)
    return {
        "severity": PAIR_SEVERITY,
        "mean": dict(zip(names, accuracy.mean(axis=0).tolist(), strict=True)),
        "worst": {
            name: {"pair": applied[pair], "accuracy": float(accuracy[pair, model])}
            for model, (name, pair) in enumerate(zip(names, accuracy.argmin(axis=0), strict=True))
        },
        "under_every_pair": {
            name: asdict(intervals.wilson_estimate(correct)) for name, correct in zip(names, every_pair, strict=True)
        },
    }
