"""Analyse a sweep: means, corruption errors, failure thresholds, comparisons of models, surprising errors."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from digits.checkpoints.recognizer import Classifier
from digits.corruptions import CORRUPTIONS, Corruption
from digits.data import Digits
from digits.metrics import intervals
from digits.robustness.plan import Plan
from digits.robustness.sweep import Results

# Of the bootstrap.
REPLICATES = 1000
ACCEPTABLE_ACCURACY = 0.95


def exposure(card: dict, corruption: Corruption) -> str:
    """Whether a model was trained with a corruption: `seen`, `related` or `unseen`; `unknown` if its card can't tell.

    The strength doesn't matter: a model trained with rotations of up to 15 degrees has seen rotation.
    """
    # What a fine-tuned model's base was trained with, the card may not say.
    if not card or ("base" in card and "augmentation_strengths" not in card["recipe"]):
        return "unknown"
    strengths = card["recipe"].get("augmentation_strengths", {})
    if any(strengths.get(family) for family in corruption.seen_with):
        return "seen"
    return "related" if any(strengths.get(family) for family in corruption.related_to) else "unseen"


def choose_baseline(plan: Plan, wanted: str | None = None) -> str:
    """The name of the baseline model: the one wanted, else logistic regression if the plan has it, else the first.

    Raises:
        ValueError: the one wanted isn't among the plan's models.
    """
    names = [model.name for model in plan.models]
    if wanted and wanted not in names:
        raise ValueError(f"the baseline {wanted} is not among the models: {', '.join(names)}")
    return wanted or ("mnist_logistic" if "mnist_logistic" in names else names[0])


def score_all(recognisers: Sequence[Classifier], digits: Digits) -> dict[str, dict]:
    """The accuracy of each model, by its name, with Wilson's interval: `value`, `low` and `high`, as fractions."""
    return {
        each.name: asdict(intervals.wilson_estimate(each.predict_proba(digits.images).argmax(axis=1) == digits.labels))
        for each in recognisers
    }


@dataclass(frozen=True)
class FailureThreshold:
    """The severity at which a model's accuracy falls below 95 %.

    Attributes:
        severity: interpolated; infinite if the accuracy stays above.
        low, high: its 95 % bootstrap interval.
        corruption: converts severities to amounts.
    """

    severity: float
    low: float
    high: float
    corruption: Corruption

    def as_dict(self) -> dict:
        """`severity` and `amount`, each with its two bounds; None for infinite ones."""
        severities = (self.severity, self.low, self.high)
        amounts = (self.corruption.amount(severity) if np.isfinite(severity) else severity for severity in severities)
        return {
            name: [float(number) if np.isfinite(number) else None for number in numbers]
            for name, numbers in (("severity", severities), ("amount", amounts))
        }


@dataclass(frozen=True)
class Robustness:
    """The analysis of a finished sweep.

    Attributes:
        results: the sweep.
        cards: the models' cards by name; empty for a model without one.
        baseline: name of the model that corruption errors are relative to.
    """

    results: Results
    cards: dict[str, dict]
    baseline: str

    @property
    def names(self) -> list[str]:
        """The models' names, in the order of the sweep."""
        return [model.name for model in self.results.plan.models]

    @property
    def corruptions(self) -> tuple[Corruption, ...]:
        """The corruptions, in the order of the sweep."""
        return self.results.plan.corruptions

    @property
    def severities(self) -> tuple[int, ...]:
        """The severities of the curves, which begin with 0 for the clean images."""
        return (0, *self.results.plan.severities)

    def by_severity(self, cells: np.ndarray) -> np.ndarray:
        """Rearrange (cells, ...) as curves, (corruptions, 1 + severities, ...), which all begin with the clean cell."""
        corrupted = cells[1:].reshape(len(self.corruptions), -1, *cells.shape[1:])
        clean = np.broadcast_to(cells[0], (len(self.corruptions), 1, *cells.shape[1:]))
        return np.concatenate([clean, corrupted], axis=1)

    @cached_property
    def accuracy(self) -> np.ndarray:
        """Accuracies as fractions, float (corruptions, 1 + severities, models)."""
        return self.by_severity(self.results.correct.mean(axis=2))

    @cached_property
    def _replicates(self) -> np.ndarray:
        """Bootstrap replicates of `accuracy`, float (corruptions, 1 + severities, models, replicates)."""
        rng = np.random.default_rng(self.results.plan.seed)
        return self.by_severity(intervals.bootstrap_means(self.results.correct, REPLICATES, rng))

    @cached_property
    def exposures(self) -> np.ndarray:
        """The `exposure` of each model to each corruption, str (models, corruptions)."""
        return np.array([[exposure(self.cards[name], each) for each in self.corruptions] for name in self.names])

    def rows(self) -> list[dict]:
        """The long table, one row per model and cell, with the model's `exposure` to the corruption."""
        words = {
            (name, each.name): word
            for name, row in zip(self.names, self.exposures.tolist(), strict=True)
            for each, word in zip(self.corruptions, row, strict=True)
        }
        return [row | {"exposure": words.get((row["model"], row["corruption"]))} for row in self.results.rows()]

    def headline(self) -> list[dict]:
        """For each model: clean accuracy; means over all corruptions, the unseen ones and MNIST-C's; mCE; the worst."""
        return [self._headline(model) for model in range(len(self.names))]

    def _headline(self, model: int) -> dict:
        every = np.ones(len(self.corruptions), bool)
        unseen = self.exposures[model] == "unseen"
        unseen_by_all = (self.exposures == "unseen").all(axis=0)
        by_corruption = self.accuracy[:, 1:, model].mean(axis=1)
        worst = int(by_corruption.argmin())
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
            "worst_accuracy": float(by_corruption[worst]),
        }

    def _estimate(self, part: tuple) -> intervals.Estimate | None:
        """One model's mean over some corruptions and severities, equally weighted; None over nothing."""
        values = self.accuracy[part]
        if not values.size:
            return None
        samples = self._replicates[part].reshape(-1, REPLICATES).mean(axis=0)
        return intervals.Estimate(float(values.mean()), *intervals.percentile_interval(samples).tolist())

    def mnist_c(self) -> dict[str, dict[str, float]]:
        """Each model's accuracy, by corruption, under those of MNIST-C that the sweep has at MNIST-C's own amount."""
        cells = self.results.plan.cells()
        return {
            each.name: dict(zip(self.names, self.results.correct[cells.index(cell)].mean(axis=1).tolist(), strict=True))
            for each in self.corruptions
            if each.mnist_c and (cell := (each.name, each.mnist_c)) in cells
        }

    def _mnist_c(self, model: int) -> intervals.Estimate | None:
        """The mean over MNIST-C's corruptions at its own amounts; None unless the sweep has all fifteen."""
        present = self.mnist_c()
        if len(present) < sum(each.mnist_c is not None for each in CORRUPTIONS.values()):
            return None
        rows = [row for row, each in enumerate(self.corruptions) if each.name in present]
        columns = [self.severities.index(self.corruptions[row].mnist_c or 0) for row in rows]
        return self._estimate((rows, columns, model))

    def _corruption_error(self, model: int, relative: bool) -> dict[str, intervals.Estimate | None]:
        """The corruption error, or the relative one, averaged in both ways of `intervals.corruption_errors`.

        None where the baseline makes no errors; the intervals leave out replicates in which it makes none.
        """
        baseline = self.names.index(self.baseline)
        both = []
        for accuracy in (self.accuracy[..., None], self._replicates):
            errors = (accuracy[:, :1] if relative else 1) - accuracy[:, 1:]
            both.append(intervals.corruption_errors(errors[:, :, model], errors[:, :, baseline]))
        values, samples = both
        return {
            name: None
            if np.isnan(value[0])
            else intervals.Estimate(float(value[0]), *intervals.percentile_interval(sample[~np.isnan(sample)]).tolist())
            for name, value, sample in zip(("mean_of_ratios", "ratio_of_means"), values, samples, strict=True)
        }

    @cached_property
    def thresholds(self) -> list[list[FailureThreshold]]:
        """For each corruption, for each model: where its accuracy falls below 95 %."""
        severities = np.array(self.severities)
        value, samples = (
            intervals.first_crossing(np.moveaxis(curves, 1, 0), severities, ACCEPTABLE_ACCURACY)
            for curves in (self.accuracy, self._replicates)
        )
        estimates = np.stack([value, *intervals.percentile_interval(samples)], axis=-1).tolist()
        return [
            [FailureThreshold(severity, low, high, corruption) for severity, low, high in models]
            for corruption, models in zip(self.corruptions, estimates, strict=True)
        ]

    @cached_property
    def cell_comparisons(self) -> list[dict]:
        """Every two models in every cell: the difference, its bootstrap interval, McNemar's p, and Holm's p."""
        rows = []
        samples = self._replicates
        for a, b in combinations(range(len(self.names)), 2):
            difference = intervals.percentile_interval(samples[:, :, a] - samples[:, :, b])
            for (corruption, severity), correct in zip(self.results.plan.cells(), self.results.correct, strict=True):
                paired = intervals.compare_paired(correct[a], correct[b])
                row = 0 if not severity else [each.name for each in self.corruptions].index(corruption)
                low, high = difference[:, row, self.severities.index(severity)]
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

    def pairwise_comparisons(self) -> list[dict]:
        """Every two models: the difference of means over corruptions, and the cells in which each is clearly better."""
        samples = self._replicates[:, 1:].mean(axis=(0, 1))
        means = self.accuracy[:, 1:].mean(axis=(0, 1))
        comparisons = []
        for a, b in combinations(range(len(self.names)), 2):
            significant = [
                row["difference"]
                for row in self.cell_comparisons
                if (row["a"], row["b"]) == (self.names[a], self.names[b]) and row["severity"] and row["holm_p"] < 0.05
            ]
            bounds = intervals.percentile_interval(samples[a] - samples[b]).tolist()
            comparisons.append(
                {
                    "a": self.names[a],
                    "b": self.names[b],
                    "difference": intervals.Estimate(float(means[a] - means[b]), *bounds),
                    "a_better": sum(difference > 0 for difference in significant),
                    "b_better": sum(difference < 0 for difference in significant),
                }
            )
        return comparisons

    def surprising_errors(self, model: int, count: int, per_cell: int = 2) -> list[dict]:
        """Errors on digits that are classified correctly when clean: mild corruptions first, then high confidence.

        Args:
            model: its index.
            count: at most this many errors.
            per_cell: at most this many of one corruption at one severity.
        """
        errors = []
        clean = self.results.correct[0, model]
        for cell, correct in zip(self.results.cells[1:], self.results.correct[1:, model], strict=True):
            wrong = np.flatnonzero(clean & ~correct)
            most_confident = wrong[np.argsort(-cell.confidence[model, wrong], kind="stable")][:per_cell]
            errors += [
                {
                    "corruption": cell.corruption,
                    "severity": cell.severity,
                    "index": int(index),
                    "label": int(self.results.plan.digits.labels[index]),
                    "answer": int(cell.answers[model, index]),
                    "confidence": float(cell.confidence[model, index]),
                }
                for index in most_confident
            ]
        errors.sort(key=lambda error: (error["severity"], -error["confidence"]))
        return errors[:count]
