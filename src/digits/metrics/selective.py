"""Selective prediction: a model answers only where it is confident; coverage and error rate."""

from dataclasses import dataclass

import numpy as np

from digits.metrics.intervals import percentile_interval


@dataclass(frozen=True)
class RiskCoverage:
    """How many answers are wrong if only those at or above a confidence are given, for every such threshold.

    Attributes:
        thresholds: float64 (M,), the distinct confidences, descending.
        answered: int (M,), how many answers are given at each; the last is all of them.
        wrong: int (M,), how many of those are wrong.
    """

    thresholds: np.ndarray
    answered: np.ndarray
    wrong: np.ndarray

    @property
    def coverage(self) -> np.ndarray:
        """The fraction of the digits that is answered at each threshold, float64 (M,)."""
        return self.answered / self.answered[-1]

    @property
    def risk(self) -> np.ndarray:
        """The fraction of these answers that is wrong, float64 (M,)."""
        return self.wrong / self.answered

    @property
    def aurc(self) -> float:
        """The area under risk by coverage (Geifman et al. 2019): the mean over k of the k surest answers' risk."""
        every = np.arange(1, self.answered[-1] + 1)
        return float(np.mean(self._wrong_of(every) / every))

    @property
    def augrc(self) -> float:
        """The area under generalised risk by coverage (Traub et al. 2024), wrong answers as a fraction of all digits.

        It is the probability that a random digit is misread with at least the confidence of another random digit, where
        equal confidences count half.
        """
        total = self.answered[-1]
        return float(np.trapezoid(np.r_[0, self.wrong], np.r_[0, self.answered]) / total**2)

    def promised_threshold(self, error_rate: float, confidence: float = 0.9) -> float | None:
        """The lowest confidence from which at most `error_rate` of the answers to other such digits would be wrong.

        The thresholds are tested in turn by the Clopper-Pearson bound, starting at the highest one at which answers
        without an error would be proof enough, until one fails (fixed sequence testing, Angelopoulos et al. 2021).

        Args:
            error_rate: above 0 and below 1.
            confidence: the probability, over sets of digits to choose by, that the promise holds.

        Returns:
            None if nothing can be promised.
        """
        from scipy.stats import beta

        bounds = beta.ppf(confidence, self.wrong + 1, self.answered - self.wrong)
        enough = self.answered >= np.log(1 - confidence) / np.log(1 - error_rate)
        holds = ~np.logical_or.accumulate(enough & ~(bounds <= error_rate)) & enough
        return float(self.thresholds[holds][-1]) if holds.any() else None

    def coverage_at(self, error_rate: float) -> float:
        """The largest fraction of the digits that can be answered with at most `error_rate` of the answers wrong."""
        return float(self.coverage[self.risk <= error_rate].max(initial=0))

    def coverage_interval(self, error_rate: float, replicates: int = 500, seed: int = 0) -> tuple[float, float]:
        """The 95 % bootstrap interval of `coverage_at`, the threshold chosen anew on each sample of the digits."""
        wrong = np.diff(self.wrong, prepend=0)
        right = np.diff(self.answered, prepend=0) - wrong
        total = self.answered[-1]
        rng = np.random.default_rng(seed)
        drawn = [
            RiskCoverage(self.thresholds, np.maximum(counts.sum(axis=0).cumsum(), 1), counts[0].cumsum())
            for counts in rng.multinomial(total, np.concatenate([wrong, right]) / total, replicates).reshape(
                replicates, 2, -1
            )
        ]
        low, high = percentile_interval(np.array([each.coverage_at(error_rate) for each in drawn]))
        return float(low), float(high)

    def _wrong_of(self, count: np.ndarray) -> np.ndarray:
        """How many of the surest answers are wrong; on average, where some of equal confidence are among them."""
        return np.interp(count, np.r_[0, self.answered], np.r_[0, self.wrong])


def risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> RiskCoverage:
    """The curve of predictions with these confidences, float (N,), of which `correct`, bool (N,), are correct."""
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order].astype(np.float64)
    # Predictions with equal confidence are accepted or rejected together.
    last = np.flatnonzero(np.r_[np.diff(sorted_confidence) < 0, True])
    return RiskCoverage(sorted_confidence[last], last + 1, np.cumsum(~correct[order])[last])
