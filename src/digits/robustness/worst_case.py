"""The worst of many damages: turns and shifts, pairs of corruptions, and the least that flips an answer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, product

import numpy as np

from digits.checkpoints.recognizer import Recognizer
from digits.corruptions import CORRUPTIONS, SEVERITIES, corrupt, geometry
from digits.data import Digits, evenly_spaced
from digits.metrics import intervals
from digits.robustness.plan import Plan

# The grid of Engstrom et al. (2019) for MNIST: 31 turns within 30 degrees, 5 shifts within 3 pixels along each axis.
TURNS = tuple(np.linspace(-30, 30, 31).tolist())
SHIFTS = (-3.0, -1.5, 0.0, 1.5, 3.0)
GRID = tuple(product(TURNS, SHIFTS, SHIFTS))
PAIR_SEVERITY = 1


def right_under_every_turn(recogniser: Recognizer, digits: Digits) -> np.ndarray:
    """Which digits a model reads rightly wherever the grid turns and shifts them, bool (N,)."""
    standing = np.arange(len(digits))
    for degrees, right, down in GRID:
        moved = geometry.rotate_and_translate(digits.images[standing], degrees, right, down)
        answers = recogniser.predict_proba(moved).argmax(axis=1)
        # One mistake is enough, so what fell needn't be turned any further.
        standing = standing[answers == digits.labels[standing]]
    return np.isin(np.arange(len(digits)), standing)


@dataclass(frozen=True)
class Pairs:
    """What models made of digits damaged twice.

    Attributes:
        names: the pairs, the one that is applied first first.
        correct: bool (pairs, models, N).
    """

    names: list[tuple[str, str]]
    correct: np.ndarray


def over_pairs(
    recognisers: Sequence[Recognizer],
    digits: Digits,
    indices: np.ndarray,
    corruptions: Iterable[str],
    seed: int,
    progress: Callable[[Iterable], Iterable],
) -> Pairs:
    """Damage digits by every two corruptions, one after the other, each at severity 1.

    Args:
        progress: wraps the list of pairs, as `tqdm` does.
    """
    names = list(combinations(corruptions, 2))
    correct = np.empty((len(names), len(recognisers), len(digits)), bool)
    for place, (first, second) in enumerate(progress(names)):
        once = corrupt(digits.images, first, PAIR_SEVERITY, seed, indices)
        twice = corrupt(once, second, PAIR_SEVERITY, seed, indices)
        for model, recogniser in enumerate(recognisers):
            correct[place, model] = recogniser.predict_proba(twice).argmax(axis=1) == digits.labels
    return Pairs(names, correct)


def every_damage(image: np.ndarray, seed: int) -> np.ndarray:
    """One image, uint8 (28, 28), under every corruption at severities 0 to 5: uint8 (corruptions, 6, 28, 28)."""
    return np.stack(
        [
            np.concatenate([corrupt(image[None], name, severity, seed) for severity in (0, *SEVERITIES)])
            for name in CORRUPTIONS
        ]
    )


def probabilities_under_damage(recogniser: Recognizer, damaged: np.ndarray) -> np.ndarray:
    """What a model says of each of `every_damage`, float32 (corruptions, 6, 10)."""
    return recogniser.predict_proba(damaged.reshape(-1, 28, 28)).reshape(*damaged.shape[:2], 10)


def smallest_flip(probabilities: np.ndarray) -> dict[str, int | None]:
    """The least severity of each corruption at which the answer isn't that to the clean image; None where it holds."""
    answers = probabilities.argmax(axis=2)
    flipped = answers != answers[:, :1]
    return {name: int(row.argmax()) if row.any() else None for name, row in zip(CORRUPTIONS, flipped, strict=True)}


def measure(
    recognisers: Sequence[Recognizer], plan: Plan, count: int, progress: Callable[[Iterable], Iterable]
) -> dict:
    """The worst cases of a sweep's digits as its report shows them, accuracies with Wilson's intervals.

    Args:
        count: how many of the digits are used, from all over them.
        progress: wraps what is gone through, as `tqdm` does.

    Returns:
        `images`, `turns`, `pairs` and `by_pair`, a row a pair; the last two are empty with a single corruption.
    """
    digits, places = evenly_spaced(plan.digits, count)
    turned = {each.name: right_under_every_turn(each, digits) for each in progress(recognisers)}
    kinds = [each.name for each in plan.corruptions]
    pairs = over_pairs(recognisers, digits, plan.indices[places], kinds, plan.seed, progress)
    names = [each.name for each in recognisers]
    return {
        "images": len(digits),
        "turns": {
            "degrees": TURNS,
            "pixels": SHIFTS,
            "positions": len(GRID),
            "models": {name: asdict(intervals.wilson_estimate(right)) for name, right in turned.items()},
        },
        "pairs": _summary_of_pairs(names, pairs) if pairs.names else {},
        "by_pair": [
            {"first": first, "then": then, **dict(zip(names, row, strict=True))}
            for (first, then), row in zip(pairs.names, pairs.correct.mean(axis=2).tolist(), strict=True)
        ],
    }


def _summary_of_pairs(names: Sequence[str], pairs: Pairs) -> dict:
    accuracy, every_pair = pairs.correct.mean(axis=2), pairs.correct.all(axis=0)
    return {
        "severity": PAIR_SEVERITY,
        "mean": dict(zip(names, accuracy.mean(axis=0).tolist(), strict=True)),
        "worst": {
            name: {"pair": pairs.names[place], "accuracy": float(accuracy[place, model])}
            for model, (name, place) in enumerate(zip(names, accuracy.argmin(axis=0), strict=True))
        },
        "under_every_pair": {
            name: asdict(intervals.wilson_estimate(right)) for name, right in zip(names, every_pair, strict=True)
        },
    }
