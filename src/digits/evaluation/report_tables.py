"""The tables of an evaluation's report."""

from collections.abc import Mapping, Sequence

import numpy as np

from digits import evaluation
from digits.checkpoints.promises import NONE
from digits.data import Raters
from digits.files import safe_name
from digits.metrics import intervals
from digits.reporting import tables
from digits.reporting.tables import Cell, Table

# Error rates at which the table says how many digits can be answered: about that of people, and half of it.
ANSWERED_AT = (0.001, 0.0005)


def scores(evaluations: Sequence[evaluation.Evaluation]) -> Table:
    """Accuracy and calibration, a row per model."""
    found = [one.scores() for one in evaluations]
    columns = [
        ("model", [Cell(one.name, link=f"#{one.name}") for one in evaluations]),
        ("accuracy", [tables.percent(each["accuracy"], interval=each["interval"]) for each in found]),
        ("errors", [each["n"] - each["correct"] for each in found]),
        ("calibration error", [tables.percent(each["ece"]) for each in found]),
        ("NLL", [tables.number(each["nll"], ".4f") for each in found]),
        ("Brier score", [tables.number(each["brier"], ".4f") for each in found]),
    ]
    return Table("scores", "Accuracy, with 95 % intervals, and calibration.", columns, best="accuracy")


def promises(evaluations: Sequence[evaluation.Evaluation]) -> Table:
    """What the models' cards promise of sure answers and of prediction sets, and whether it was kept."""
    made = [(one, one.promise.error_rate) for one in evaluations if one.promise is not NONE]
    wrong = [_share(~one.correct[one.is_sure]) for one, _ in made]
    missed = [_share(~one.is_covered) for one, _ in made]

    def kept(found: Sequence[intervals.Estimate | None]) -> list[str | None]:
        return [
            each and ("yes" if each.value <= promised else "no")
            for each, (_, promised) in zip(found, made, strict=True)
        ]

    columns = [
        ("model", [one.name for one, _ in made]),
        ("promised error rate", [tables.percent(promised, 1) for _, promised in made]),
        ("sure answers", [tables.percent(float(one.is_sure.mean())) for one, _ in made]),
        ("wrong among them", [_percent(each) for each in wrong]),
        ("kept by sure answers", kept(wrong)),
        ("sets that miss the true digit", [_percent(each) for each in missed]),
        ("kept by sets", kept(missed)),
        ("digits per set", [tables.number(float(one.sets.sum(axis=1).mean()), ".3f") for one, _ in made]),
        ("sets of one digit", [tables.percent(float(np.mean(one.sets.sum(axis=1) == 1))) for one, _ in made]),
    ]
    return Table("promises", "Sure answers and prediction sets, with 95 % intervals.", columns)


def _share(values: np.ndarray) -> intervals.Estimate | None:
    return intervals.wilson_estimate(values) if len(values) else None


def _percent(estimate: intervals.Estimate | None, places: int = 2) -> Cell | None:
    return estimate and tables.percent(estimate.value, places, (estimate.low, estimate.high))


def _points(estimate: intervals.Estimate | None) -> Cell | None:
    return estimate and tables.points(estimate.value, (estimate.low, estimate.high))


def answered_at(one: evaluation.Evaluation, rate: float) -> intervals.Estimate:
    """The fraction of the digits that a model can answer with at most an error rate, with its interval."""
    return intervals.Estimate(one.risk_coverage.coverage_at(rate), *one.risk_coverage.coverage_interval(rate))


def contested(evaluations: Sequence[evaluation.Evaluation], raters: Raters) -> Table:
    """Accuracy without contested labels, and with corrected ones."""
    found = {one.name: one.scores_by_raters(raters) for one in evaluations}
    columns = [
        ("model", list(found)),
        *(
            (kind, [tables.percent(each[kind]["accuracy"], interval=each[kind]["interval"]) for each in found.values()])
            for kind in next(iter(found.values()))
        ),
    ]
    return Table("contested", "Accuracy and contested labels, with 95 % intervals.", columns)


def selective(
    evaluations: Sequence[evaluation.Evaluation], answered: Mapping[str, Mapping[float, intervals.Estimate]]
) -> Table:
    """Areas under the risk-coverage curve, and `answered_at` by model and error rate."""
    curves = [one.risk_coverage for one in evaluations]
    columns = [
        ("model", [one.name for one in evaluations]),
        ("AURC (×1000)", [tables.number(1000 * curve.aurc, ".3f") for curve in curves]),
        ("AUGRC (×1000)", [tables.number(1000 * curve.augrc, ".3f") for curve in curves]),
        *(
            (
                f"answered at ≤ {100 * rate:g} % wrong",
                [_percent(answered[one.name][rate]) for one in evaluations],
            )
            for rate in ANSWERED_AT
        ),
    ]
    return Table("selective", "Answering only where the model is confident, with 95 % intervals.", columns)


def comparisons(
    comparisons: Mapping[tuple[str, str], intervals.PairedComparison],
    by_writer: Mapping[tuple[str, str], intervals.Estimate],
) -> Table:
    """Differences in accuracy, a row per pair of models, also with intervals over writers where they are known."""
    found = comparisons.values()
    columns = [
        ("pair", [f"{a} minus {b}" for a, b in comparisons]),
        ("difference (points)", [tables.points(each.difference, each.interval) for each in found]),
        ("over writers", [_points(by_writer.get(pair)) for pair in comparisons]),
        ("only first correct", [each.only_a for each in found]),
        ("only second correct", [each.only_b for each in found]),
        ("McNemar's p", [tables.number(each.p_value, ".2g") for each in found]),
    ]
    return Table("comparisons", "Differences in accuracy, with 95 % intervals.", columns)


def by_digit(one: evaluation.Evaluation) -> Table:
    """A model's precision, recall and F1, a row per digit."""
    found = one.classification_report(as_dict=True)
    scores = {"precision": "precision", "recall": "recall", "F1": "f1-score"}
    columns = [
        ("digit", list(range(10))),
        *((name, [tables.percent(found[str(digit)][key]) for digit in range(10)]) for name, key in scores.items()),
        ("images", [int(found[str(digit)]["support"]) for digit in range(10)]),
        ("sets that miss the true digit", [_of_digit(one, ~one.is_covered, digit) for digit in range(10)]),
        ("wrong among sure answers", [_of_digit(one, ~one.correct, digit, one.is_sure) for digit in range(10)]),
    ]
    return Table(f"{safe_name(one.name)}_by_digit", f"Precision, recall and F1 of {one.name}.", columns)


def _of_digit(
    one: evaluation.Evaluation, values: np.ndarray, digit: int, among: np.ndarray | None = None
) -> Cell | None:
    """The share of a digit's images, or of those `among` them, for which a value is true; None without a promise."""
    if one.promise is NONE:
        return None
    is_digit = one.digits.labels == digit
    return _percent(_share(values[is_digit if among is None else is_digit & among]))


def by_writer(errors: evaluation.ByWriter) -> Table:
    """A model's accuracy, a row per group of writers."""
    found = list(errors.groups())
    columns = [
        ("writers", [group.name for group in found]),
        ("people", [len(group.rates) for group in found]),
        ("digits", [group.digits for group in found]),
        ("errors", [group.errors for group in found]),
        ("accuracy", [_percent(group.accuracy) for group in found]),
        ("people without an error", [tables.percent(group.without_errors, 0) for group in found]),
        ("error rate of the worst tenth", [tables.percent(group.worst) for group in found]),
        ("wrong among sure answers", [_percent(group.sure_but_wrong) for group in found]),
        ("sets that miss the true digit", [_percent(group.not_covered) for group in found]),
    ]
    name = errors.evaluation.name
    return Table(
        f"{safe_name(name)}_by_writer", f"Accuracy of {name} by writer, with 95 % intervals over writers.", columns
    )
