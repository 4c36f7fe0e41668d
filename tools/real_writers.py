"""Real people's digits to benchmark fine-tuning on; no base has learnt from the person it is tuned for.

MNIST's training digits are by 539 people, 250 of them high-school students. Each of `FOLDS` bases is trained without
the digits of a fifth of the people. scikit-learn's 8×8 digits are people's in Turkey, who copied one printed form of
130 digits: its text runs through the 1,797 labels fourteen times, with 23 digits missing and one replaced. So they are
14 forms. Their description tells of 13 people (Alpaydin and Kaynak 1998), but no two forms are nearly as alike as the
digits of one form, and each counts as a person here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from digits import data
from digits.data import Digits, Splits, Writers
from digits.metrics import intervals
from digits.metrics.intervals import Estimate
from tools import writer_split

FOLDS = 5
# Of `digits.data.writers.SERIES`.
STUDENTS = 4
SEED = 27
# By how the text begins, 0123456789 three times, and by how it ends.
FORM_STARTS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)


@dataclass(frozen=True)
class Person:
    """One person's digits.

    Attributes:
        name: the number of MNIST's writer or of scikit-learn's form.
        fold: the one whose base never saw this person. No base saw scikit-learn's digits, so any will do for a form.
    """

    name: int
    fold: int
    digits: Digits


@dataclass(frozen=True)
class MnistFolds:
    """MNIST's training digits in folds over their writers.

    Args:
        writers: of the 60,000 digits.
    """

    digits: Digits
    writers: Writers

    @cached_property
    def fold(self) -> np.ndarray:
        """The fold of each digit, int (N,), the same for all of a person's."""
        from sklearn.model_selection import GroupKFold

        fold = np.empty(len(self.digits), int)
        for number, (_, members) in enumerate(GroupKFold(FOLDS).split(self.digits.labels, groups=self.writers.people)):
            fold[members] = number
        return fold

    def splits(self, number: int, validation_size: int = 5000) -> Splits:
        """Digits to train and to validate a fold's base; nobody wrote in two of training, validation and the fold.

        The fold's own digits are in the place of the test digits.
        """
        others = np.flatnonzero(self.fold != number)
        order = others[
            writer_split.split(self.writers.series[others], self.writers.people[others], validation_size).astype(int)
        ]
        train, validation = (self.digits.at(part) for part in np.split(order, [-validation_size]))
        hashes = {"train": train.sha256, "validation": validation.sha256}
        name = f"MNIST without fold {number} of its writers"
        return Splits(train, validation, self.digits.at(self.fold == number), name, hashes)

    def students(self, least: int) -> list[Person]:
        """The students with at least `least` digits of each class."""
        people = [np.flatnonzero(self.writers.people == name) for name in self._students]
        counts = [np.bincount(self.digits.labels[each], minlength=10) for each in people]
        return [
            Person(int(name), int(self.fold[each[0]]), self.digits.at(each))
            for name, each, count in zip(self._students, people, counts, strict=True)
            if count.min() >= least
        ]

    @cached_property
    def _students(self) -> np.ndarray:
        return np.unique(self.writers.people[self.writers.series == STUDENTS])


def load_folds(folder: Path) -> MnistFolds:
    """MNIST's training digits with their writers from QMNIST's labels in `folder`."""
    arrays = data.load_mnist(names=("x_train", "y_train"))
    return MnistFolds(Digits(arrays["x_train"], arrays["y_train"]), data.load_writers(folder, "train"))


def forms() -> list[Person]:
    """scikit-learn's digits, enlarged to 28×28 as in `data/styles.npz`, by the form that they were written on."""
    stored = data.style_arrays("images", "labels", "source")
    # The file's sources are named in the order of scikit-learn's digits; two of them begin some digits too early.
    order = np.argsort(stored["source"], kind="stable")
    written = order[np.char.startswith(stored["source"][order], "written/")]
    digits = Digits(stored["images"][written], stored["labels"][written])
    parts = np.split(np.arange(len(digits)), FORM_STARTS[1:])
    return [Person(number, number % FOLDS, digits.at(part)) for number, part in enumerate(parts)]


def half(people: Sequence[Person], is_report: bool, seed: int = SEED) -> list[Person]:
    """One of two halves of the people, in random order: to choose a recipe on, or to report its results on."""
    order = np.random.default_rng(seed).permutation(len(people))
    chosen = order[len(people) // 2 :] if is_report else order[: len(people) // 2]
    return [people[index] for index in chosen]


def learnt(person: Person, size: int, draw: int = 0, seed: int = SEED) -> np.ndarray:
    """Which of a person's digits are learnt, bool (N,): `size` of each class, the smaller sizes among the larger."""
    rng, labels = np.random.default_rng([seed, person.name, draw]), person.digits.labels
    chosen = [rng.permutation(np.flatnonzero(labels == digit))[:size] for digit in range(10)]
    return np.isin(np.arange(len(labels)), np.concatenate(chosen))


def summary(rows: Sequence[Mapping], replicates: int = 10_000) -> dict:
    """What fine-tuning gained and cost, with 95 % intervals over people; the five bases are taken as given.

    Args:
        rows: a fine-tuning each: `person`, the number of digits `read`, those misread `before` and `after` as indices
            among the person's, `mnist_read` and its errors `mnist_before` and `mnist_after`, and `seconds`.
    """
    people = np.array([row["person"] for row in rows])
    read, before, after = (np.array([_count(row[name]) for row in rows], float) for name in ("read", "before", "after"))
    forgotten = np.array([(row["mnist_after"] - row["mnist_before"]) / row["mnist_read"] for row in rows])
    misread = {(row["person"], index) for row in rows for index in row["before"]}
    seconds = np.array([row["seconds"] for row in rows])
    return {
        "people": len(set(people.tolist())),
        "fine_tunings": len(rows),
        "digits_read": int(read.sum()),
        "errors_before": int(before.sum()),
        "errors_after": int(after.sum()),
        "different_digits_misread_before": len(misread),
        "errors_left": asdict(ratio(after, before, people, replicates)),
        "share_better": asdict(_share(after < before, people, replicates)),
        "share_worse": asdict(_share(after > before, people, replicates)),
        "points_forgotten": asdict(intervals.clustered_estimate(100 * forgotten, people, replicates)),
        "points_forgotten_at_most": float(100 * forgotten.max()),
        "seconds": round(float(np.median(seconds)), 2),
        "seconds_at_most": float(seconds.max()),
        "share_kept_as_base": float(np.mean([not row["share"] for row in rows])),
    }


def ratio(numerator: np.ndarray, denominator: np.ndarray, people: np.ndarray, replicates: int) -> Estimate:
    """The ratio of two sums with its 95 % bootstrap interval over people, (N,) each.

    A sample of people in which the denominator is 0 counts as infinite.
    """
    _, which = np.unique(people, return_inverse=True)
    sums = np.stack([np.bincount(which, numerator), np.bincount(which, denominator)])
    above, below = intervals.bootstrap_means(sums, replicates, np.random.default_rng(SEED))
    drawn = np.divide(above, below, out=np.full(replicates, np.inf), where=below > 0)
    low, high = intervals.percentile_interval(drawn)
    value = numerator.sum() / denominator.sum() if denominator.any() else np.inf
    return Estimate(float(value), float(low), float(high))


def _share(flags: np.ndarray, people: np.ndarray, replicates: int) -> Estimate:
    """The share that is true; where a person has several fine-tunings, they are drawn together."""
    if len(np.unique(people)) == len(people):
        return intervals.wilson_estimate(flags)
    return intervals.clustered_estimate(flags, people, replicates)


def _count(value: int | Sequence) -> int:
    return value if isinstance(value, int) else len(value)


def by_size(rows: Sequence[Mapping]) -> dict[str, dict]:
    """The summary of fine-tunings by how many digits of each class were learnt, their `samples`."""
    sizes = sorted({row["samples"] for row in rows})
    return {str(size): summary([row for row in rows if row["samples"] == size]) for size in sizes}
