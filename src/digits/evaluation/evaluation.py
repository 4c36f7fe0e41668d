"""One model's predictions on labelled digits, with its scores and errors, and comparisons of two models."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from digits import metrics
from digits.checkpoints import promises
from digits.checkpoints.promises import Promise
from digits.checkpoints.recognizer import Classifier
from digits.data import Digits, Raters, Writers
from digits.metrics import intervals


@dataclass(frozen=True)
class Evaluation:
    """A model's predictions on labelled digits.

    Attributes:
        name: of the model.
        digits: the images and their labels.
        probabilities: float32 (N, 10) in [0, 1].
        promise: what the model's card promises.
    """

    name: str
    digits: Digits
    probabilities: np.ndarray
    promise: Promise = promises.NONE

    @cached_property
    def predictions(self) -> np.ndarray:
        """The predicted digits, int (N,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """The probability of each predicted digit, float32 (N,)."""
        return self.probabilities.max(axis=1)

    @cached_property
    def correct(self) -> np.ndarray:
        """Which predictions are correct, bool (N,)."""
        return self.predictions == self.digits.labels

    @cached_property
    def confusion(self) -> np.ndarray:
        """The confusion matrix, int (10, 10): rows are true digits, columns predicted digits."""
        return metrics.confusion_matrix(self.predictions, self.digits.labels)

    @cached_property
    def reliability(self) -> metrics.Reliability:
        """Accuracy by confidence."""
        return metrics.reliability(self.probabilities, self.digits.labels)

    @cached_property
    def risk_coverage(self) -> metrics.RiskCoverage:
        """How many answers would be wrong if only confident ones were given."""
        return metrics.risk_coverage(self.confidence, self.correct)

    @cached_property
    def is_sure(self) -> np.ndarray:
        """Of which answers the model is sure, bool (N,)."""
        return self.promise.is_sure(self.probabilities)

    @cached_property
    def sets(self) -> np.ndarray:
        """The prediction sets, bool (N, 10)."""
        return self.promise.sets(self.probabilities)

    @cached_property
    def is_covered(self) -> np.ndarray:
        """Which prediction sets have the true digit, bool (N,)."""
        return self.sets[np.arange(len(self.digits)), self.digits.labels]

    def scores_by_raters(self, raters: Raters) -> dict[str, dict]:
        """Accuracy with its interval on MNIST's test digits as labelled, without contested labels, and corrected."""
        agreed, decided = ~raters.is_contested, raters.labels >= 0
        return {
            kind: intervals.accuracy_with_interval(int(correct.sum()), len(correct))
            for kind, correct in {
                "as labelled": self.correct,
                f"without {np.sum(~agreed)} contested labels": self.correct[agreed],
                "with corrected labels": (self.predictions == raters.labels)[decided],
            }.items()
        }

    def errors(self) -> np.ndarray:
        """Indices of the wrong predictions, int (errors,), the most confident first."""
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def examples(self, true: int, predicted: int) -> np.ndarray:
        """Indices of the digits `true` that were mistaken for `predicted`, int (M,), the most confident first."""
        errors = self.errors()
        return errors[(self.digits.labels[errors] == true) & (self.predictions[errors] == predicted)]

    def classification_report(self, as_dict: bool = False) -> Any:
        """Precision, recall and F1 of every digit, by scikit-learn, as text or as a dictionary."""
        from sklearn.metrics import classification_report

        # Typed loosely, because scikit-learn's annotations don't allow the numbers that its documentation asks for.
        options: dict[str, Any] = {"labels": range(10), "digits": 4, "output_dict": as_dict, "zero_division": 0}
        return classification_report(self.digits.labels, self.predictions, **options)

    def scores(self) -> dict:
        """Accuracy with its interval, `nll` in nats, `brier`, `ece` and `mean_confidence`, as plain numbers."""
        labels = self.digits.labels
        return intervals.accuracy_with_interval(int(self.correct.sum()), len(labels)) | {
            "nll": metrics.negative_log_likelihood(self.probabilities, labels),
            "brier": metrics.brier_score(self.probabilities, labels),
            "ece": metrics.expected_calibration_error(self.probabilities, labels),
            "mean_confidence": float(self.confidence.mean()),
        }


def evaluate(model: Classifier, digits: Digits) -> Evaluation:
    """Run `model` on `digits`."""
    return Evaluation(model.name, digits, model.predict_proba(digits.images), promises.made(model.card))


def differences_by_writer(
    evaluations: Sequence[Evaluation], writers: Writers
) -> dict[tuple[str, str], intervals.Estimate]:
    """The difference in accuracy of every two models, by their names, with its interval over writers."""
    return {
        (a.name, b.name): intervals.clustered_estimate(a.correct.astype(float) - b.correct, writers.people)
        for a, b in combinations(evaluations, 2)
    }


def pairwise_comparisons(evaluations: Sequence[Evaluation]) -> dict[tuple[str, str], intervals.PairedComparison]:
    """Compare every two models, evaluated on the same digits, by their names."""
    return {(a.name, b.name): intervals.compare_paired(a.correct, b.correct) for a, b in combinations(evaluations, 2)}
