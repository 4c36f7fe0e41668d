"""The results of a study: means over seeds with intervals, worst seeds, and paired tests between variants."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from digits.metrics import intervals
from digits.metrics.intervals import Estimate
from digits.studies.declaration import Study
from digits.studies.runner import CLEAN, MNIST_C, FinishedRun

REPLICATES = 1000
# With two seeds a t-test has one degree of freedom: only differences of 13 standard errors are significant.
LEAST_SEEDS = 3


@dataclass(frozen=True)
class Variant:
    """One variant's runs, in the order of their seeds.

    Attributes:
        accuracy: by measure, the accuracy of each seed, float (seeds,).
        estimates: by measure, the mean accuracy with an interval over seeds and digits.
    """

    name: str
    runs: list[FinishedRun]
    accuracy: dict[str, np.ndarray]
    estimates: dict[str, Estimate]

    @property
    def by_corruption(self) -> dict[str, float]:
        """Mean accuracy over the seeds by MNIST-C corruption."""
        means = np.mean([run.correct.mean(axis=1) for run in self.runs], axis=0)
        return dict(zip(MNIST_C, means[1:].tolist(), strict=True))

    def mean_ece(self, conditions: slice) -> float:
        """Mean expected calibration error over the seeds and a slice of the conditions, of which the first is clean."""
        return float(np.mean([run.ece[conditions] for run in self.runs]))

    @property
    def median(self) -> FinishedRun:
        """The run with the median validation accuracy; among equal ones a lower loss ranks higher."""

        def rank(run: FinishedRun) -> tuple[float, float]:
            validation = run.card["scores"]["validation"]
            return validation["accuracy"], -validation["nll"]

        return sorted(self.runs, key=rank)[len(self.runs) // 2]


@dataclass(frozen=True)
class Comparison:
    """A variant compared with the first by one measure, with the same seeds and on the same digits.

    Attributes:
        difference: mean accuracy minus the first variant's, with an interval.
        p_value: of a paired t-test over the seeds, with Holm's correction; None with fewer than three seeds.
    """

    variant: str
    measure: str
    difference: Estimate
    p_value: float | None


@dataclass(frozen=True)
class Results:
    """A finished study."""

    study: Study
    finished: list[FinishedRun]

    @cached_property
    def variants(self) -> list[Variant]:
        """The variants in the order of the declaration."""
        found = []
        for name in self.study.variants:
            runs = [each for each in self.finished if each.run.variant == name]
            rights = _measured(runs)
            found.append(
                Variant(
                    name,
                    runs,
                    {measure: right.mean(axis=tuple(range(1, right.ndim))) for measure, right in rights.items()},
                    {measure: estimate(right) for measure, right in rights.items()},
                )
            )
        return found

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every other variant compared with the first, by every measure."""
        first, *others = self.variants
        reference = _measured(first.runs)
        rows, p_values = [], []
        for other in others:
            for measure, right in _measured(other.runs).items():
                difference = right.astype(np.int8) - reference[measure]
                rows.append((other.name, measure, estimate(difference)))
                p_values.append(paired_p_value(other.accuracy[measure], first.accuracy[measure]))
        adjusted = intervals.holm(np.array(p_values)).tolist() if None not in p_values else p_values
        return [Comparison(*row, p_value=p_value) for row, p_value in zip(rows, adjusted, strict=True)]


def _measured(runs: Sequence[FinishedRun]) -> dict[str, np.ndarray]:
    """By measure, whether answers are correct, bool (seeds, ..., digits)."""
    correct = np.stack([run.correct for run in runs])
    rights = {CLEAN: correct[:, 0], "mnist_c": correct[:, 1:]}
    if len(runs[0].handwriting):
        rights["handwriting"] = np.stack([run.handwriting for run in runs])
    return rights


def estimate(values: np.ndarray) -> Estimate:
    """The mean of values, (seeds, ..., digits), with a 95 % bootstrap interval that resamples seeds and digits.

    With few seeds the interval is somewhat too narrow.
    """
    rng = np.random.default_rng(0)
    # One row per seed: the mean over conditions is taken for each digit first.
    by_digit = values.reshape(len(values), -1, values.shape[-1]).mean(axis=1)
    of_seeds = intervals.bootstrap_means(by_digit, REPLICATES, rng)
    drawn = rng.integers(0, len(values), (len(values), REPLICATES))
    means = np.take_along_axis(of_seeds, drawn, axis=0).mean(axis=0)
    low, high = intervals.percentile_interval(means)
    return Estimate(float(values.mean()), float(low), float(high))


def paired_p_value(ours: np.ndarray, theirs: np.ndarray) -> float | None:
    """The p-value of a paired, two-sided t-test over seeds, (seeds,) each; None for fewer than three seeds."""
    from scipy.stats import ttest_rel

    if len(ours) < LEAST_SEEDS:
        return None
    if np.ptp(ours - theirs) == 0:
        return 1.0 if np.all(ours == theirs) else 0.0
    return float(ttest_rel(ours, theirs).pvalue)
