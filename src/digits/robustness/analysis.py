"""What a sweep says about its models: means, corruption errors, failure thresholds, comparisons, surprises."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from digits.checkpoints.recognizer import Recognizer
from digits.corruptions import CORRUPTIONS, Corruption
from digits.data import Digits
from digits.metrics import intervals
from digits.robustness.plan import Plan
from digits.robustness.sweep import Results

REPLICATES = 1000
FLOOR = 0.95


def exposure(card: dict, corruption: Corruption) -> str:
    """Whether a model was trained on a kind of damage: `seen`, `related`, `unseen`, or `unknown` without a card.

    It is said of the kind, not of its strength: a model that was turned by 15 degrees in training has seen rotation.
    """
    if not card:
        return "unknown"
    strengths = card["recipe"].get("augmentation_strengths", {})
    if any(strengths.get(family) for family in corruption.seen_with):
        return "seen"
    return "related" if any(strengths.get(family) for family in corruption.related_to) else "unseen"


def choose_baseline(plan: Plan, wanted: str | None = None) -> str:
    """The model to relate errors to: the one wanted, or logistic regression if it takes part, or the first.

    Raises:
        ValueError: the one wanted isn't among the plan's models.
    """
    names = [model.name for model in plan.models]
    if wanted and wanted not in names:
        raise ValueError(f"the baseline {wanted} is not among the models: {', '.join(names)}")
    return wanted or ("mnist_logistic" if "mnist_logistic" in names else names[0])


def score_all(recognisers: Sequence[Recognizer], digits: Digits) -> dict[str, dict]:
    """The accuracy of each model on a set damaged elsewhere, with Wilson's interval: `value`, `low`, `high`."""
    return {
        each.name: asdict(intervals.wilson_estimate(each.predict_proba(digits.images).argmax(axis=1) == digits.labels))
        for each in recognisers
    }


@dataclass(frozen=True)
class Threshold:
    """The damage at which a model's accuracy falls below 95 %.

    Attributes:
        severity: where, on the scale of severities; infinite if it never falls.
        low, high: its 95 % bootstrap interval.
        corruption: gives the amounts.
    """

    severity: float
    low: float
    high: float
    corruption: Corruption

    def as_dict(self) -> dict:
        """`severity` and `amount`, each with its two bounds; None beyond the last severity and for infinite amounts."""
        severities = (self.severity, self.low, self.high)
        amounts = (self.corruption.amount(severity) if np.isfinite(severity) else severity for severity in severities)
        return {
            name: [float(number) if np.isfinite(number) else None for number in numbers]
            for name, numbers in (("severity", severities), ("amount", amounts))
        }


@dataclass(frozen=True)
class Robustness:
    """A sweep with the models' cards and a baseline to measure corruption errors against.

    Attributes:
        results: the finished sweep.
        cards: by name; empty for a model without one.
        baseline: the name of one of the models.
    """

    results: Results
    cards: dict[str, dict]
    baseline: str

    @property
    def names(self) -> list[str]:
        """The models' names, in the sweep's order."""
        return [model.name for model in self.results.plan.models]

    @property
    def corruptions(self) -> tuple[Corruption, ...]:
        """The kinds of damage, in the table's order."""
        return self.results.plan.corruptions

    @property
    def positions(self) -> np.ndarray:
        """The severities of the curves, 0 for the clean images first."""
        return np.array([0, *self.results.plan.severities])

    def by_severity(self, cells: np.ndarray) -> np.ndarray:
        """(cells, ...) as (corruptions, 1 + severities, ...); the clean cell begins every curve."""
        damaged = cells[1:].reshape(len(self.corruptions), -1, *cells.shape[1:])
        clean = np.broadcast_to(cells[0], (len(self.corruptions), 1, *cells.shape[1:]))
        return np.concatenate([clean, damaged], axis=1)

    @cached_property
    def accuracy(self) -> np.ndarray:
        """(corruptions, 1 + severities, models)."""
        return self.by_severity(self.results.correct.mean(axis=2))

    @cached_property
    def _replicates(self) -> np.ndarray:
        rng = np.random.default_rng(self.results.plan.seed)
        return self.by_severity(intervals.bootstrap_means(self.results.correct, REPLICATES, rng))

    @cached_property
    def exposures(self) -> np.ndarray:
        """Words, (models, corruptions)."""
        return np.array([[exposure(self.cards[name], each) for each in self.corruptions] for name in self.names])

    def rows(self) -> list[dict]:
        """The long table: a row a model and cell, with the model's `exposure` to that kind of damage."""
        words = {
            (name, each.name): word
            for name, row in zip(self.names, self.exposures.tolist(), strict=True)
            for each, word in zip(self.corruptions, row, strict=True)
        }
        return [row | {"exposure": words.get((row["model"], row["corruption"]))} for row in self.results.rows()]

    def headline(self) -> list[dict]:
        """For each model: its accuracy clean, over all damage, on MNIST-C's levels, on unseen damage; its mCE."""
        return [self._headline(place) for place in range(len(self.names))]

    def _headline(self, model: int) -> dict:
        every = np.ones(len(self.corruptions), bool)
        unseen = self.exposures[model] == "unseen"
        unseen_by_all = (self.exposures == "unseen").all(axis=0)
        damaged = self.accuracy[:, 1:, model].mean(axis=1)
        worst = int(damaged.argmin())
        return {
            "model": self.names[model],
            "clean": self._estimate(np.s_[:1, :1, model]),
            "all": self._estimate(np.s_[every, 1:, model]),
            "unseen": self._estimate(np.s_[unseen, 1:, model]),
            "unseen_count": int(unseen.sum()),
            "unseen_by_all": self._estimate(np.s_[unseen_by_all, 1:, model]),
            "unseen_by_all_count": int(unseen_by_all.sum()),
            "mnist_c": self._mnist_c(model),
            "mce": self._corruption_error(model, relative=False),
            "relative_mce": self._corruption_error(model, relative=True),
            "worst": self.corruptions[worst].name,
            "worst_accuracy": float(damaged[worst]),
        }

    def _estimate(self, part: tuple) -> intervals.Estimate | None:
        """The mean over some corruptions and severities of one model, all counted alike."""
        values = self.accuracy[part]
        if not values.size:
            return None
        samples = self._replicates[part].reshape(-1, REPLICATES).mean(axis=0)
        return intervals.Estimate(float(values.mean()), *intervals.percentile_interval(samples).tolist())

    def mnist_c(self) -> dict[str, dict[str, float]]:
        """Each model's accuracy under those of the fifteen that the sweep has at MNIST-C's level, by corruption."""
        cells = self.results.plan.cells()
        return {
            each.name: dict(zip(self.names, self.results.correct[cells.index(cell)].mean(axis=1).tolist(), strict=True))
            for each in self.corruptions
            if (cell := (each.name, each.mnist_c)) in cells
        }

    def _mnist_c(self, model: int) -> intervals.Estimate | None:
        """The mean of the fifteen at MNIST-C's levels; None unless the sweep has all of them."""
        there = self.mnist_c()
        if len(there) < sum(each.mnist_c is not None for each in CORRUPTIONS.values()):
            return None
        rows = [row for row, each in enumerate(self.corruptions) if each.name in there]
        columns = [self.positions.tolist().index(self.corruptions[row].mnist_c) for row in rows]
        return self._estimate((rows, columns, model))

    def _corruption_error(self, model: int, relative: bool) -> dict[str, intervals.Estimate | None]:
        """Mean of ratios and ratio of means of the errors to the baseline's; of the added errors if `relative`.

        None where the baseline has none; the intervals leave out replicates in which it has none.
        """
        baseline = self.names.index(self.baseline)
        found = []
        for accuracy in (self.accuracy[..., None], self._replicates):
            errors = (accuracy[:, :1] if relative else 1) - accuracy[:, 1:]
            found.append(intervals.corruption_errors(errors[:, :, model], errors[:, :, baseline]))
        values, samples = found
        return {
            name: None
            if np.isnan(value[0])
            else intervals.Estimate(float(value[0]), *intervals.percentile_interval(sample[~np.isnan(sample)]).tolist())
            for name, value, sample in zip(("mean_of_ratios", "ratio_of_means"), values, samples, strict=True)
        }

    @cached_property
    def thresholds(self) -> list[list[Threshold]]:
        """For each corruption, for each model: where its accuracy falls below 95 %."""
        curves = np.moveaxis(self.accuracy, 1, 0)
        severity = intervals.first_crossing(curves, self.positions, FLOOR)
        samples = intervals.first_crossing(np.moveaxis(self._replicates, 1, 0), self.positions, FLOOR)
        low, high = intervals.percentile_interval(samples)
        return [
            [Threshold(*map(float, bounds), corruption) for bounds in zip(*rows, strict=True)]
            for corruption, *rows in zip(self.corruptions, severity, low, high, strict=True)
        ]

    @cached_property
    def comparisons(self) -> list[dict]:
        """Every two models on every cell: the difference, its bootstrap interval, McNemar's p, and Holm's of all."""
        rows = []
        samples = self._replicates
        for a, b in combinations(range(len(self.names)), 2):
            difference = intervals.percentile_interval(samples[:, :, a] - samples[:, :, b])
            for (corruption, severity), correct in zip(self.results.plan.cells(), self.results.correct, strict=True):
                paired = intervals.compare_paired(correct[a], correct[b])
                row = 0 if not severity else [each.name for each in self.corruptions].index(corruption)
                low, high = difference[:, row, self.positions.tolist().index(severity)]
                rows.append(
                    {
                        "a": self.names[a],
                        "b": self.names[b],
                        "corruption": corruption,
                        "severity": severity,
                        "difference": paired.difference,
                        "difference_low": float(low),
                        "difference_high": float(high),
                        "only_a_right": paired.only_a,
                        "only_b_right": paired.only_b,
                        "mcnemar_p": paired.p_value,
                    }
                )
        adjusted = intervals.holm(np.array([row["mcnemar_p"] for row in rows]))
        return [row | {"holm_p": float(p)} for row, p in zip(rows, adjusted, strict=True)]

    def duels(self) -> list[dict]:
        """Every two models over all damage: the mean difference, and in how many cells each is surely better."""
        samples = self._replicates[:, 1:].mean(axis=(0, 1))
        means = self.accuracy[:, 1:].mean(axis=(0, 1))
        found = []
        for a, b in combinations(range(len(self.names)), 2):
            sure = [
                row["difference"]
                for row in self.comparisons
                if (row["a"], row["b"]) == (self.names[a], self.names[b]) and row["severity"] and row["holm_p"] < 0.05
            ]
            bounds = intervals.percentile_interval(samples[a] - samples[b]).tolist()
            found.append(
                {
                    "a": self.names[a],
                    "b": self.names[b],
                    "difference": intervals.Estimate(float(means[a] - means[b]), *bounds),
                    "a_better": sum(difference > 0 for difference in sure),
                    "b_better": sum(difference < 0 for difference in sure),
                }
            )
        return found

    def surprises(self, model: int, count: int, a_cell: int = 2) -> list[dict]:
        """Wrong answers to digits read rightly when clean: mild damage first, then high confidence.

        Args:
            a_cell: how many of one corruption at one severity are given at most.
        """
        found = []
        clean = self.results.correct[0, model]
        for cell, correct in zip(self.results.cells[1:], self.results.correct[1:, model], strict=True):
            wrong = np.flatnonzero(clean & ~correct)
            sure = wrong[np.argsort(-cell.confidence[model, wrong], kind="stable")][:a_cell]
            found += [
                {
                    "corruption": cell.corruption,
                    "severity": cell.severity,
                    "place": int(place),
                    "label": int(self.results.plan.digits.labels[place]),
                    "answer": int(cell.answers[model, place]),
                    "confidence": float(cell.confidence[model, place]),
                }
                for place in sure
            ]
        found.sort(key=lambda one: (one["severity"], -one["confidence"]))
        return found[:count]
