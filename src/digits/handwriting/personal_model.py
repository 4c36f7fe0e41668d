"""A personal model: fine-tuned on own digits, assessed on them and on MNIST, and published if it gained anything."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from digits import files
from digits.checkpoints import cards, publishing, recognizer
from digits.checkpoints.recognizer import Recognizer
from digits.data import Digits
from digits.handwriting import finetuning
from digits.handwriting.dataset import Handwriting
from digits.handwriting.finetuning import FineTuner
from digits.metrics import intervals

CURVE_SIZES = (1, 3, 5, 10, 20)


@dataclass(frozen=True)
class Assessment:
    """Cross-validation on own digits.

    Attributes:
        before, after: whether the base, and the models that were fine-tuned on the other digits, recognise each digit,
            bool (N,).
    """

    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class Personal:
    """The result of a fine-tuning.

    Attributes:
        assessment: cross-validation on the own digits.
        card: of the published model; None if the base was kept.
        forgetting: the new model compared with the base on MNIST's test digits; None if the base was kept.
    """

    assessment: Assessment
    card: dict | None = None
    forgetting: intervals.PairedComparison | None = None


def make(
    base: Recognizer, tuner: FineTuner, mine: Handwriting, folds: int, name: str, folder: Path, done: Callable[[], None]
) -> Personal:
    """Assess what fine-tuning gains, and if it gains anything fine-tune on all own digits and publish the model.

    Args:
        tuner: of the base.
        folds: number of folds of the cross-validation on own digits.
        name, folder: of the new checkpoint, export and card.
        done: called after each of the `folds + 1` fine-tunings.

    Raises:
        ValueError: the folder can't be written to.
    """
    circumstances = cards.circumstances()
    assessment = assess(tuner, mine.digits, folds, done)
    if assessment.after.sum() <= assessment.before.sum():
        return Personal(assessment)
    started = time.perf_counter()
    tuned = tuner.tune(mine.digits)
    seconds = time.perf_counter() - started
    done()
    if not tuned.share:
        return Personal(assessment)
    card = publishing.publish(
        tuned.model,
        name,
        folder,
        tuner.splits,
        description=f"{base.name}, fine-tuned on one person's handwriting",
        architecture=tuned.model.name,
        parameters=tuned.model.count_params(),
        recipe=asdict(tuner.recipe) | _strengths(base.card),
        training={"seconds": round(seconds, 1)},
        base={"name": base.name, "sha256": files.sha256(base.path)},
        own_digits=_own_digits(mine, assessment) | {"share": tuned.share, "rounds": tuned.rounds},
        circumstances=circumstances,
    )
    published = recognizer.load(name, folder)
    after, before = (_correct(model, tuner.splits.test) for model in (published, base))
    return Personal(assessment, card, intervals.compare_paired(after, before))


def assess(tuner: FineTuner, mine: Digits, folds: int, done: Callable[[], None]) -> Assessment:
    """Cross-validate fine-tuning on own digits.

    Args:
        folds: number of folds; each class has at least as many digits.
        done: called after each fine-tuning.
    """
    from sklearn.model_selection import StratifiedKFold

    before = _reads(finetuning.tunable(tuner.base), mine)
    after = np.zeros(len(mine), bool)
    parts = StratifiedKFold(folds, shuffle=True, random_state=tuner.recipe.random_seed)
    for trained_on, held_out in parts.split(mine.images, mine.labels):
        after[held_out] = _reads(tuner.tune(mine.at(trained_on)).model, mine.at(held_out))
        done()
    return Assessment(before, after)


def curve_sizes(mine: Digits) -> list[int]:
    """Numbers of samples per digit for a learning curve: up to two thirds, so that enough are left to evaluate."""
    return [size for size in CURVE_SIZES if 3 * size <= 2 * np.bincount(mine.labels, minlength=10).min()]


def learning_curve(tuner: FineTuner, mine: Digits, done: Callable[[], None]) -> list[dict]:
    """Accuracy on the same own digits after fine-tuning on more and more of the others.

    Args:
        done: called after each fine-tuning.

    Returns:
        For each of `curve_sizes`: `samples` per digit, and the accuracies `before` and `after`, with intervals.
    """
    sizes = curve_sizes(mine)
    rng = np.random.default_rng([tuner.recipe.random_seed, 4])
    order = [rng.permutation(np.flatnonzero(mine.labels == digit)) for digit in range(10)]
    left = mine.at(np.concatenate([indices[max(sizes, default=0) :] for indices in order]))
    before = _score(_reads(finetuning.tunable(tuner.base), left))
    curve = []
    for size in sizes:
        tuned = tuner.tune(mine.at(np.concatenate([indices[:size] for indices in order])))
        curve.append({"samples": size, "before": before, "after": _score(_reads(tuned.model, left))})
        done()
    return curve


def describe(personal: Personal, mine: Handwriting, name: str) -> str:
    """What a fine-tuning gained and cost, as text."""
    before, after = personal.assessment.before, personal.assessment.after
    comparison = intervals.compare_paired(after, before)
    lines = [
        "your digits, each by a model that wasn't trained on it (cross-validation):",
        f"  before  {_line(before)}",
        f"  after   {_line(after)}",
        f"  {100 * comparison.difference:+.1f} points (McNemar's p {comparison.p_value:.2g}); by class:",
    ]
    for digit in range(10):
        of_digit = mine.digits.labels == digit
        lines.append(f"    {digit}: {before[of_digit].sum()} -> {after[of_digit].sum()} of {of_digit.sum()}")
    if personal.card is None or personal.forgetting is None:
        return "\n".join([*lines, f"fine-tuning gains nothing here: no new model was kept, {name} is unchanged"])
    test, cost = personal.card["scores"]["test"], personal.forgetting
    low, high = (100 * bound for bound in cost.interval)
    lines.append(
        f"MNIST's test digits: {test['accuracy']:.2%}, {100 * cost.difference:+.2f} points from the base "
        f"(95 % interval {low:+.2f} to {high:+.2f})"
    )
    return "\n".join(lines)


def _strengths(base: dict) -> dict:
    """What a fine-tuned model's card says of augmentation: the largest strengths that it or its base was trained with.

    Args:
        base: the base's card; without one, nothing is known.
    """
    if not base:
        return {}
    trained = [finetuning.VARIED, finetuning.REHEARSED]
    strengths = [base["recipe"].get("augmentation_strengths", {}), *map(asdict, trained)]
    return {
        "augmentation_strengths": {
            family: max(each.get(family, 0) for each in strengths) for family in asdict(finetuning.VARIED)
        }
    }


def _own_digits(mine: Handwriting, assessment: Assessment) -> dict:
    labels = mine.digits.labels
    return {
        "folder": mine.folder.name,
        "sha256": mine.sha256,
        "counts": mine.counts.tolist(),
        "before": _score(assessment.before),
        "after": _score(assessment.after),
        "right_by_class": {
            when: [int(correct[labels == digit].sum()) for digit in range(10)]
            for when, correct in (("before", assessment.before), ("after", assessment.after))
        },
    }


def _reads(model, digits: Digits) -> np.ndarray:
    return finetuning.predictions(model, digits) == digits.labels


def _score(correct: np.ndarray) -> dict:
    return intervals.accuracy_with_interval(int(correct.sum()), len(correct))


def _line(correct: np.ndarray) -> str:
    score = _score(correct)
    low, high = score["interval"]
    return f"{score['correct']} of {score['n']}, {score['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%})"


def _correct(model: Recognizer, digits: Digits) -> np.ndarray:
    return model.predict_proba(digits.images).argmax(axis=1) == digits.labels
