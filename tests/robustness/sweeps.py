"""Finished sweeps with chosen answers."""

from collections.abc import Sequence

import numpy as np

from digits.corruptions import select
from digits.data import Digits
from digits.robustness import plan as sweep_plan
from digits.robustness import sweep

NAMES = ("noisy", "plain", "bendy")
KINDS = ("gaussian_noise", "scale", "fog", "stripe")
IMAGES = 200
# How many of the images each model gets right. `noisy` is best when clean, `bendy` under damage.
RIGHT = {
    ("clean", 0): (198, 180, 192),
    ("gaussian_noise", 1): (196, 160, 186),
    ("gaussian_noise", 3): (190, 120, 150),
    ("gaussian_noise", 5): (180, 80, 100),
    ("scale", 1): (192, 150, 190),
    ("scale", 3): (150, 110, 180),
    ("scale", 5): (90, 50, 160),
    ("fog", 1): (198, 176, 197),
    ("fog", 3): (110, 90, 170),
    ("fog", 5): (40, 60, 120),
    ("stripe", 1): (180, 140, 191),
    ("stripe", 3): (160, 100, 158),
    ("stripe", 5): (150, 80, 100),
}
DAMAGED = [cell for cell in RIGHT if cell[1]]
CARDS = {
    "noisy": {"recipe": {"augmentation_strengths": {"noise": 20, "scale": 0, "contrast": 0}}},
    "plain": {"recipe": {"digits": 55_000}},
    "bendy": {"recipe": {"augmentation_strengths": {"noise": 0, "scale": 0.1, "contrast": 0.5}}},
}


def sweep_of(
    names: Sequence[str], kinds: Sequence[str], severities: Sequence[int], correct: dict[tuple[str, int], np.ndarray]
) -> sweep.Results:
    """A finished sweep in which `correct`, bool (models, N) for each cell, says which answers are correct."""
    count = correct["clean", 0].shape[1]
    labels = (np.arange(count) % 10).astype(np.uint8)
    plan = sweep_plan.Plan(
        digits=Digits(np.zeros((count, 28, 28), np.uint8), labels),
        indices=np.arange(count),
        source="made by hand",
        models=tuple(sweep_plan.Model(name, f"{name}.onnx", "0" * 64) for name in names),
        corruptions=select(kinds),
        severities=tuple(severities),
        seed=3,
    )
    by_model = np.arange(len(names), dtype=float)
    cells = [
        sweep.Cell(
            corruption=kind,
            severity=severity,
            images_sha256="0" * 64,
            seconds=np.array([9, *by_model]),
            answers=np.where(correct[kind, severity], labels, (labels + 1) % 10).astype(np.uint8),
            confidence=np.full((len(names), count), 0.5, np.float16) + by_model[:, None].astype(np.float16) / 8,
            mean_confidence=by_model + 10,
            nll=by_model + 20,
            brier=by_model + 30,
            ece=by_model + 40,
            is_sure=np.arange(count) % 10 < 5 + by_model[:, None],
            is_covered=np.arange(count) % 20 > by_model[:, None],
            set_size=np.full((len(names), count), 1 + by_model[:, None], np.uint8),
        )
        for kind, severity in plan.cells()
    ]
    return sweep.Results(plan, cells)


def mean_right(kinds: Sequence[str], model: int) -> float:
    found = [RIGHT[kind, severity][model] / IMAGES for kind, severity in DAMAGED if kind in kinds]
    return sum(found) / len(found)
