"""How a model's reasons move while its images are damaged, beside its accuracy and its confidence."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from digits.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from digits.data import Digits
from digits.explanations.attribution import Attribution
from digits.metrics import intervals


@dataclass(frozen=True)
class Drift:
    """Digits under one corruption; a row for each severity, from 0 to 5.

    Attributes:
        corruption: its name.
        correct: which answers are right, bool (6, N).
        confidence: the answers' probabilities, (6, N).
        kept: which answers are those of the undamaged digits, bool (6, N).
        similarity: the correlation of the signed maps, of the class first answered, with the undamaged digits', (6, N).
        images: the damaged digits, uint8 (6, N, 28, 28).
        heat: the maps, (6, N, 28, 28).
    """

    corruption: str
    correct: np.ndarray
    confidence: np.ndarray
    kept: np.ndarray
    similarity: np.ndarray
    images: np.ndarray
    heat: np.ndarray

    def moved_reasons(self, severity: int) -> np.ndarray:
        """Places of the digits whose answer is right with and without damage, the most moved reason first."""
        steady = np.flatnonzero(self.kept[severity] & self.correct[severity])
        return steady[np.argsort(self.similarity[severity, steady], kind="stable")]


def measure(
    explain: Callable[[np.ndarray, np.ndarray | None], Attribution], digits: Digits, corruption: str, seed: int = 0
) -> Drift:
    """Explain digits under a corruption at every severity.

    Where the corruption moves the page, the undamaged digit's map is moved in the same way before it is compared, so
    that a reason that stays on its stroke counts as the same.

    Args:
        explain: images, and the classes to explain or None for the answers, to their attributions.
    """
    clean = explain(digits.images, None)
    damage = CORRUPTIONS[corruption]
    rows = {"correct": [], "confidence": [], "kept": [], "similarity": [], "images": [], "heat": []}
    for severity in (0, *SEVERITIES):
        images = damage(digits.images, severity, np.random.default_rng(seed))
        found = explain(images, clean.target) if severity else clean
        expected = clean.signed
        if damage.kind == "geometry":
            expected = _moved(damage, expected, severity, seed)
        answers = found.logits.argmax(axis=1)
        rows["correct"].append(answers == digits.labels)
        rows["confidence"].append(softmax(found.logits, axis=1).max(axis=1))
        rows["kept"].append(answers == clean.target)
        rows["similarity"].append(intervals.correlations(expected, found.signed))
        rows["images"].append(images)
        rows["heat"].append(found.heat)
    return Drift(corruption, **{name: np.stack(values) for name, values in rows.items()})


def _moved(damage: Corruption, maps: np.ndarray, severity: int, seed: int) -> np.ndarray:
    """Signed maps, (N, 28, 28), moved as a corruption moves their images; each on a scale of its own."""
    scale = np.maximum(np.abs(maps).max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    positive, negative = (np.rint(255 * np.maximum(part, 0) / scale).astype(np.uint8) for part in (maps, -maps))
    gains, losses = (damage(part, severity, np.random.default_rng(seed)).astype(int) for part in (positive, negative))
    return gains - losses
