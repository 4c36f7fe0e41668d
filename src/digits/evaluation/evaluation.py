"""What one recogniser, or two on the same images, did on labelled digits: everything that a report shows."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from digits import metrics
from digits.checkpoints.recognizer import Recognizer
from digits.data import Digits
from digits.metrics import intervals


@dataclass(frozen=True)
class Evaluation:
    """One recogniser's answers to labelled digits.

    Attributes:
        name: the recogniser's name.
        digits: the images and their true labels.
        probabilities: float32 (N, 10).
    """

    name: str
    digits: Digits
    probabilities: np.ndarray

    @cached_property
    def predictions(self) -> np.ndarray:
        """The answers, (N,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """The probability of each answer, (N,)."""
        return self.probabilities.max(axis=1)

    @cached_property
    def correct(self) -> np.ndarray:
        """Which answers are right, bool (N,)."""
        return self.predictions == self.digits.labels

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts (10, 10): row the true digit, column the answer."""
        return metrics.confusion_matrix(self.predictions, self.digits.labels)

    @cached_property
    def reliability(self) -> metrics.Reliability:
        """Accuracy by confidence."""
        return metrics.reliability(self.probabilities, self.digits.labels)

    def errors(self) -> np.ndarray:
        """Indices of the wrong answers, the most confident first."""
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def examples(self, true: int, answer: int) -> np.ndarray:
        """Indices of the images of digit `true` that were answered `answer`, the most confident first."""
        errors = self.errors()
        return errors[(self.digits.labels[errors] == true) & (self.predictions[errors] == answer)]

    def classification_report(self, as_dict: bool = False) -> str | dict:
        """Precision, recall and F1 of every digit, by scikit-learn."""
        from sklearn.metrics import classification_report

        return classification_report(
            self.digits.labels,
            self.predictions,
            labels=range(10),
            digits=4,
            output_dict=as_dict,
            zero_division=0,
        )

    def scores(self) -> dict:
        """The figures of the report, as JSON can hold them."""
        labels = self.digits.labels
        return intervals.accuracy_with_interval(int(self.correct.sum()), len(labels)) | {
            "nll": metrics.negative_log_likelihood(self.probabilities, labels),
            "brier": metrics.brier_score(self.probabilities, labels),
            "ece": metrics.expected_calibration_error(self.probabilities, labels),
            "mean_confidence": float(self.confidence.mean()),
        }


def evaluate(recogniser: Recognizer, digits: Digits) -> Evaluation:
    """Let `recogniser` answer `digits`."""
    return Evaluation(recogniser.name, digits, recogniser.predict_proba(digits.images))


def compare_all(evaluations: list[Evaluation]) -> dict[tuple[str, str], intervals.PairedComparison]:
    """Every two of the models, on the same images: which is better, and could it be chance?"""
    return {(a.name, b.name): intervals.compare_paired(a.correct, b.correct) for a, b in combinations(evaluations, 2)}
