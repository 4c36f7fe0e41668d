"""The tables of an evaluation's report."""

from collections.abc import Mapping, Sequence

from digits import evaluation
from digits.data import Raters
from digits.files import safe_name
from digits.metrics import intervals
from digits.reporting import tables
from digits.reporting.tables import Cell, Table

# Of the answers given, at most this fraction wrong.
ERROR_RATES = (0.001, 0.0005)


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
    """What the models' cards promise of sure answers, and whether it was kept."""
    made = [(one, one.promise) for one in evaluations if one.promise]
    answered = [one.correct[promise.is_sure] for one, promise in made]
    wrong = [intervals.wilson_estimate(~correct) if len(correct) else None for correct in answered]
    columns = [
        ("model", [one.name for one, _ in made]),
        ("promised error rate", [tables.percent(promise.error_rate, 1) for _, promise in made]),
        ("sure answers", [tables.percent(float(promise.is_sure.mean())) for _, promise in made]),
        ("their error rate", [each and tables.percent(each.value, interval=(each.low, each.high)) for each in wrong]),
        (
            "kept",
            [
                each and ("yes" if each.value <= promise.error_rate else "no")
                for each, (_, promise) in zip(wrong, made, strict=True)
            ],
        ),
    ]
    return Table("promises", "Sure answers, with 95 % intervals.", columns)


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
                [
                    tables.percent(each.value, interval=(each.low, each.high))
                    for one in evaluations
                    for each in [answered[one.name][rate]]
                ],
            )
            for rate in ERROR_RATES
        ),
    ]
    return Table("selective", "Answering only where the model is confident, with 95 % intervals.", columns)


def comparisons(comparisons: Mapping[tuple[str, str], intervals.PairedComparison]) -> Table:
    """Differences in accuracy, a row per pair of models."""
    found = comparisons.values()
    columns = [
        ("pair", [f"{a} minus {b}" for a, b in comparisons]),
        ("difference (points)", [tables.points(each.difference, each.interval) for each in found]),
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
    ]
    return Table(f"{safe_name(one.name)}_by_digit", f"Precision, recall and F1 of {one.name}.", columns)


def by_writer(errors: evaluation.ByWriter) -> Table:
    """A model's accuracy, a row per group of writers."""
    found = list(errors.groups())
    columns = [
        ("writers", [group.name for group in found]),
        ("people", [len(group.rates) for group in found]),
        ("digits", [group.digits for group in found]),
        ("errors", [group.errors for group in found]),
        (
            "accuracy",
            [
                tables.percent(group.accuracy.value, interval=(group.accuracy.low, group.accuracy.high))
                for group in found
            ],
        ),
        ("people without an error", [tables.percent(group.without_errors, 0) for group in found]),
        ("error rate of the worst tenth", [tables.percent(group.worst) for group in found]),
    ]
    name = errors.evaluation.name
    return Table(
        f"{safe_name(name)}_by_writer", f"Accuracy of {name} by writer, with 95 % intervals over writers.", columns
    )
