"""Which labels are probably wrong: confident learning (Northcutt et al. 2021), by cleanlab."""

from dataclasses import dataclass

import numpy as np

from digits import metrics
from digits.checkpoints.recognizer import Classifier
from digits.data import Digits


@dataclass(frozen=True)
class Suspect:
    """A digit whose label a model contradicts.

    Attributes:
        index: of the digit.
        given: its label.
        suggested: the model's answer.
        given_probability: that the model gives to the label.
        suggested_probability: that the model gives to its answer.
        is_probable: whether the label is probably wrong; otherwise the model may be the one that is wrong.
    """

    index: int
    given: int
    suggested: int
    given_probability: float
    suggested_probability: float
    is_probable: bool


def find_suspects(probabilities: np.ndarray, labels: np.ndarray) -> list[Suspect]:
    """The digits that a model reads otherwise than they are labelled, the least probable labels first.

    How many labels are wrong is estimated from how often the model is sure of another digit. As many of the least
    probable labels are called probably wrong.

    Args:
        probabilities: float (N, 10), of a model that didn't learn from these digits.
        labels: integers (N,), 0 to 9.

    Raises:
        ValueError: the probabilities have another shape, aren't from 0 to 1, or don't sum to one.
    """
    if probabilities.shape != (len(labels), 10):
        raise ValueError(f"expected probabilities of shape ({len(labels)}, 10), got {probabilities.shape}")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if not (np.all(probabilities >= 0) and np.allclose(sums, 1, atol=1e-3)):
        raise ValueError("expected probabilities from 0 to 1 that sum to one for each digit")
    answers, exact = probabilities.argmax(axis=1), probabilities / sums[:, None]
    contradicted = np.flatnonzero(answers != labels)
    probable = set(_probably_wrong(exact, labels.astype(int)).tolist())
    given = exact[contradicted, labels[contradicted]]
    return [
        Suspect(
            int(index),
            int(labels[index]),
            int(answers[index]),
            float(exact[index, labels[index]]),
            float(exact[index].max()),
            int(index) in probable,
        )
        for index in contradicted[np.argsort(given, kind="stable")]
    ]


def contradicted_by(model: Classifier, digits: Digits) -> list[Suspect]:
    """`find_suspects` by a model's calibrated probabilities."""
    probabilities = metrics.temper(model.predict_proba(digits.images), model.card.get("temperature", 1))
    return find_suspects(probabilities, digits.labels)


def _probably_wrong(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Indices of the labels that are probably wrong; none if there are too few digits to estimate how many are."""
    from cleanlab.filter import find_label_issues

    # cleanlab requires every class to occur among the labels.
    present = np.unique(labels)
    if len(present) < 2:
        return np.array([], int)
    part = probabilities[:, present]
    part = part / np.maximum(part.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return np.flatnonzero(
        find_label_issues(np.searchsorted(present, labels), part, filter_by="low_self_confidence", n_jobs=1)
    )
