"""Dataset shift: how a model's accuracy, confidence and heat maps change as its images are corrupted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from digits.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from digits.data import Digits
from digits.explanations.attribution import Attribution
from digits.metrics import intervals


@dataclass(frozen=True)
class Shift:
    """Digits under one corruption; a row for each severity from 0 to 5.

    Attributes:
        corruption: its name.
        correct: whether answers are correct, bool (6, N).
        confidence: the probabilities of the answers, float (6, N).
        kept: whether answers are those to the clean digits, bool (6, N).
        similarity: correlations of the signed maps for the clean answer with those of the clean digits, float (6, N).
        images: the corrupted digits, uint8 (6, N, 28, 28).
        heat: the heat maps, float (6, N, 28, 28).
    """

    corruption: str
    correct: np.ndarray
    confidence: np.ndarray
    kept: np.ndarray
    similarity: np.ndarray
    images: np.ndarray
    heat: np.ndarray

    def most_changed_maps(self, severity: int) -> np.ndarray:
        """Indices of the digits whose answers are correct with and without corruption, the most changed map first."""
        steady = np.flatnonzero(self.kept[severity] & self.correct[severity])
        return steady[np.argsort(self.similarity[severity, steady], kind="stable")]


def measure(
    explain: Callable[[np.ndarray, np.ndarray | None], Attribution], digits: Digits, corruption: str, seed: int = 0
) -> Shift:
    """Explain digits under a corruption at every severity.

    A geometric corruption also transforms the clean digit's map before the comparison, so that evidence that stays on
    its stroke counts as unchanged.

    Args:
        explain: from images, and the classes to explain or None for the answers, to attributions.
    """
    clean = explain(digits.images, None)
    corrupt = CORRUPTIONS[corruption]
    rows = {"correct": [], "confidence": [], "kept": [], "similarity": [], "images": [], "heat": []}
    for severity in (0, *SEVERITIES):
        images = corrupt(digits.images, severity, np.random.default_rng(seed))
        found = explain(images, clean.target) if severity else clean
        expected = clean.signed
        if corrupt.kind == "geometry":
            expected = _transformed(corrupt, expected, severity, seed)
        answers = found.logits.argmax(axis=1)
        rows["correct"].append(answers == digits.labels)
        rows["confidence"].append(softmax(found.logits, axis=1).max(axis=1))
        rows["kept"].append(answers == clean.target)
        rows["similarity"].append(intervals.correlations(expected, found.signed))
        rows["images"].append(images)
        rows["heat"].append(found.heat)
    return Shift(corruption, **{name: np.stack(values) for name, values in rows.items()})


def _transformed(corrupt: Corruption, maps: np.ndarray, severity: int, seed: int) -> np.ndarray:
    """Signed maps, (N, 28, 28), transformed as a corruption transforms their images; each is rescaled."""
    scale = np.maximum(np.abs(maps).max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    positive, negative = (np.rint(255 * np.maximum(part, 0) / scale).astype(np.uint8) for part in (maps, -maps))
    gains, losses = (corrupt(part, severity, np.random.default_rng(seed)).astype(int) for part in (positive, negative))
    return gains - losses
