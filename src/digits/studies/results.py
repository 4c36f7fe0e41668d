"""What a study found: means over seeds with intervals, spreads, worst seeds, and paired tests of its variants."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from digits.metrics import intervals
from digits.metrics.intervals import Estimate
from digits.studies.declaration import Study
from digits.studies.runner import CLEAN, MNIST_C, Finished

REPLICATES = 1000
# A t-test of two has one degree of freedom: a difference would have to be 13 times its standard error.
LEAST_SEEDS = 3


@dataclass(frozen=True)
class Variant:
    """One variant's runs, in the order of their seeds.

    Attributes:
        accuracy: by measure, each seed's, (seeds,).
        estimates: by measure the mean, with the interval that other seeds and other digits would move it in.
    """

    name: str
    runs: list[Finished]
    accuracy: dict[str, np.ndarray]
    estimates: dict[str, Estimate]

    @property
    def by_corruption(self) -> dict[str, float]:
        """Mean accuracy over the seeds under each of MNIST-C's corruptions."""
        means = np.mean([run.correct.mean(axis=1) for run in self.runs], axis=0)
        return dict(zip(MNIST_C, means[1:].tolist(), strict=True))

    def mean_ece(self, conditions: slice) -> float:
        """Mean expected calibration error over the seeds and some of the conditions, the clean one first."""
        return float(np.mean([run.ece[conditions] for run in self.runs]))

    @property
    def median(self) -> Finished:
        """The run whose validation accuracy is the middle one; of equal ones the lower loss counts as better."""

        def rank(run: Finished) -> tuple[float, float]:
            validation = run.card["scores"]["validation"]
            return validation["accuracy"], -validation["nll"]

        return sorted(self.runs, key=rank)[len(self.runs) // 2]


@dataclass(frozen=True)
class Comparison:
    """A variant against the first one, by one measure, from the same seeds and on the same digits.

    Attributes:
        difference: mean accuracy less the first variant's, with its interval.
        p_value: paired t-test over the seeds, adjusted for the number of comparisons (Holm); None with few seeds.
    """

    variant: str
    measure: str
    difference: Estimate
    p_value: float | None


@dataclass(frozen=True)
class Results:
    """A finished study."""

    study: Study
    finished: list[Finished]

    @cached_property
    def variants(self) -> list[Variant]:
        """The variants in the declared order."""
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
        """Every variant against the first, by every measure."""
        first, *others = self.variants
        reference = _measured(first.runs)
        rows, p_values = [], []
        for other in others:
            for measure, right in _measured(other.runs).items():
                difference = right.astype(np.int8) - reference[measure]
                rows.append((other.name, measure, estimate(difference)))
                p_values.append(paired_p_value(other.accuracy[measure], first.accuracy[measure]))
        adjusted = intervals.holm(np.array(p_values)).tolist() if None not in p_values else p_values
        return [Comparison(*row, p_value) for row, p_value in zip(rows, adjusted, strict=True)]


def _measured(runs: Sequence[Finished]) -> dict[str, np.ndarray]:
    """By measure what was right, (seeds, ..., digits)."""
    correct = np.stack([run.correct for run in runs])
    rights = {CLEAN: correct[:, 0], "mnist_c": correct[:, 1:]}
    if len(runs[0].handwriting):
        rights["handwriting"] = np.stack([run.handwriting for run in runs])
    return rights


def estimate(values: np.ndarray) -> Estimate:
    """The mean of (seeds, ..., digits) with its 95 % bootstrap interval, seeds and digits both drawn again.

    With few seeds it is somewhat too narrow, as any bootstrap of few is.
    """
    rng = np.random.default_rng(0)
    # One row a seed: a mean over conditions is the mean of each digit's share.
    by_digit = values.reshape(len(values), -1, values.shape[-1]).mean(axis=1)
    of_seeds = intervals.bootstrap_means(by_digit, REPLICATES, rng)
    drawn = rng.integers(0, len(values), (len(values), REPLICATES))
    means = np.take_along_axis(of_seeds, drawn, axis=0).mean(axis=0)
    low, high = intervals.percentile_interval(means)
    return Estimate(float(values.mean()), float(low), float(high))


def paired_p_value(ours: np.ndarray, theirs: np.ndarray) -> float | None:
    """Student's paired two-sided test over seeds; 1 where no seed differs, None with so few that it finds nothing."""
    from scipy.stats import ttest_rel

    if len(ours) < LEAST_SEEDS:
        return None
    if np.ptp(ours - theirs) == 0:
        return 1.0 if np.all(ours == theirs) else 0.0
    return float(ttest_rel(ours, theirs).pvalue)
