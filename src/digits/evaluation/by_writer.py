"""A model's errors by the people who wrote the digits: accuracy by series, and the writers with most errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from digits.checkpoints.promises import NONE
from digits.data.writers import SERIES, Writers
from digits.evaluation.evaluation import Evaluation
from digits.metrics.intervals import Estimate, clustered_estimate, wilson_estimate

EVERYBODY = "all writers"


@dataclass(frozen=True)
class Group:
    """A model's errors on the digits of a group of people.

    Attributes:
        name: of the group.
        digits: how many digits they wrote.
        errors: how many of those the model misread.
        accuracy: with its interval over writers.
        rates: each person's error rate, float64 (people,), the highest first.
        worst: the error rate of the tenth of the people with the highest rates, all their digits together.
        sure_but_wrong: the fraction of sure answers that is wrong, with its interval over writers; None if there is
            no sure answer, or if the model's card promises nothing. Wilson's interval if none is wrong.
        not_covered: the fraction of prediction sets that miss the true digit, likewise.
    """

    name: str
    digits: int
    errors: int
    accuracy: Estimate
    rates: np.ndarray
    worst: float
    sure_but_wrong: Estimate | None
    not_covered: Estimate | None

    @property
    def without_errors(self) -> float:
        """The share of the people whose digits were all read correctly."""
        return float(np.mean(self.rates == 0))


@dataclass(frozen=True)
class ByWriter:
    """An evaluation, and who wrote its digits.

    Attributes:
        evaluation: on N digits.
        writers: of the same N digits, in the same order.
    """

    evaluation: Evaluation
    writers: Writers

    @cached_property
    def people(self) -> np.ndarray:
        """For each person, their number, series, digits and errors, int (people, 4), those with most errors first."""
        people, which = np.unique(self.writers.people, return_inverse=True)
        series = np.zeros_like(people)
        series[which] = self.writers.series
        rows = np.stack([people, series, np.bincount(which), np.bincount(which, ~self.evaluation.correct)], axis=1)
        return rows[np.lexsort((rows[:, 2], -rows[:, 3]))].astype(int)

    def groups(self) -> Iterator[Group]:
        """Everybody, then the people of each series."""
        for name, series in {EVERYBODY: list(SERIES), **{name: [number] for number, name in SERIES.items()}}.items():
            people = self.people[np.isin(self.people[:, 1], series)]
            if len(people):
                digits, errors = people[:, 2:].T
                order = np.argsort(-errors / digits, kind="stable")
                tenth = order[: -(-len(people) // 10)]
                chosen = np.isin(self.writers.series, series)
                yield Group(
                    name,
                    int(digits.sum()),
                    int(errors.sum()),
                    clustered_estimate(self.evaluation.correct[chosen], self.writers.people[chosen]),
                    (errors / digits)[order],
                    float(errors[tenth].sum() / digits[tenth].sum()),
                    self._share(~self.evaluation.correct, chosen & self.evaluation.is_sure),
                    self._share(~self.evaluation.is_covered, chosen),
                )

    def _share(self, values: np.ndarray, chosen: np.ndarray) -> Estimate | None:
        """The fraction of the `chosen` digits for which a value is true, both bool (N,); None without a promise."""
        if self.evaluation.promise is NONE or not chosen.any():
            return None
        among = values[chosen]
        # Resampling can't tell how rare something is that never occurred.
        return clustered_estimate(among, self.writers.people[chosen]) if among.any() else wilson_estimate(among)

    def misread(self, person: int) -> np.ndarray:
        """Indices of a person's misread digits, int (M,), the most confident errors first."""
        errors = self.evaluation.errors()
        return errors[self.writers.people[errors] == person]
