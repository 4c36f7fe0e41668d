"""Write the report of an evaluation: one HTML page, figures, JSON and text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from digits import evaluation, metrics
from digits.checkpoints.promises import NONE
from digits.data import Raters, Writers
from digits.data.writers import SERIES
from digits.evaluation import plots, report_tables
from digits.evaluation.by_writer import Group
from digits.files import output_folder, safe_name, write_text
from digits.metrics import intervals
from digits.reporting import figures
from digits.reporting.html import write_figures, write_page
from digits.reporting.thumbnails import data_uri, on_paper
from digits.reporting.words import percent

SHOWN_ERRORS = 40
SHOWN_ERRORS_PER_DIGIT = 20
SHOWN_PAIRS = 6
SHOWN_EXAMPLES = 6
SHOWN_PEOPLE = 12


def write_evaluation(
    evaluations: Sequence[evaluation.Evaluation],
    source: str,
    folder: Path,
    hashes: Mapping[str, str],
    writers: Writers | None = None,
    raters: Raters | None = None,
) -> Path:
    """Write the evaluation of one or more models on the same digits.

    Writes `report.html`, `results.json`, `summary.txt`, `label_map.txt`, and a folder per model with its
    `classification_report.txt` and figures.

    Args:
        hashes: SHA-256 of the checkpoints, by the models' names.
        writers: who wrote the digits, if that is known.
        raters: whether others agree with the labels, if that is known.

    Returns:
        The path of the HTML page.
    """
    comparisons = evaluation.pairwise_comparisons(evaluations)
    digits = evaluations[0].digits
    over_writers = evaluation.differences_by_writer(evaluations, writers) if writers else {}
    by_writer = {one.name: evaluation.ByWriter(one, writers) for one in evaluations} if writers else {}
    models = [_write_model(one, folder, by_writer.get(one.name)) for one in evaluations]
    shared = {
        "reliability": plots.reliability_diagram({one.name: one.reliability for one in evaluations}),
        "risk_coverage": plots.risk_coverage({one.name: one.risk_coverage for one in evaluations}),
    }
    answered = {
        one.name: {rate: report_tables.answered_at(one, rate) for rate in report_tables.ANSWERED_AT}
        for one in evaluations
    }
    results = {
        "source": source,
        "models": {one.name: _as_json(one, answered[one.name], by_writer.get(one.name)) for one in evaluations},
        "comparisons": [
            {"a": a, "b": b} | asdict(result) | ({"over_writers": asdict(over_writers[a, b])} if over_writers else {})
            for (a, b), result in comparisons.items()
        ],
    }
    write_text(folder / "results.json", json.dumps(results, indent=1))
    write_text(folder / "summary.txt", evaluation_summary(evaluations, source, writers, raters) + "\n")
    write_text(folder / "label_map.txt", "".join(f"{digit} {digit}\n" for digit in range(10)))
    return write_page(
        folder,
        "evaluation.html.j2",
        source=source,
        count=len(digits),
        models=models,
        scores=report_tables.scores(evaluations),
        contested=report_tables.contested(evaluations, raters) if raters else None,
        selective=report_tables.selective(evaluations, answered),
        promises=report_tables.promises(evaluations),
        comparisons=report_tables.comparisons(comparisons, over_writers),
        shown_errors=SHOWN_ERRORS_PER_DIGIT,
        shown_people=SHOWN_PEOPLE,
        seeds="0 for the bootstrap intervals",
        hashes={**hashes, "digits": digits.sha256},
        **write_figures(shared, folder),
    )


def evaluation_summary(
    evaluations: Sequence[evaluation.Evaluation],
    source: str,
    writers: Writers | None = None,
    raters: Raters | None = None,
) -> str:
    """Summarise the evaluation in a few lines of plain text."""
    lines = [f"{len(evaluations[0].digits):,} digits: {source}"]
    for one in evaluations:
        scores = one.scores()
        low, high = scores["interval"]
        lines.append(
            f"{one.name}: accuracy {scores['accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%}), "
            f"{scores['n'] - scores['correct']} wrong, ECE {scores['ece']:.2%}, NLL {scores['nll']:.4f}, "
            f"Brier {scores['brier']:.4f}"
        )
        pairs = metrics.most_confused(one.confusion, SHOWN_PAIRS)
        lines.append("  most confused: " + (", ".join(f"{t} as {p} ({n}×)" for t, p, n in pairs) or "none"))
        if one.promise is not NONE:
            lines.append(_promise_in_words(one))
        if raters:
            among = ", ".join(f"{each['accuracy']:.2%} {words}" for words, each in one.scores_by_raters(raters).items())
            lines.append(f"  accuracy: {among}")
        if writers:
            lines += [_in_words(group) for group in evaluation.ByWriter(one, writers).groups()]
    for (a, b), result in evaluation.pairwise_comparisons(evaluations).items():
        low, high = result.interval
        lines.append(
            f"{a} minus {b}: {100 * result.difference:+.2f} points "
            f"(95 % interval {100 * low:+.2f} to {100 * high:+.2f}), McNemar p = {result.p_value:.2g}; "
            f"only {a} correct {result.only_a}×, only {b} correct {result.only_b}×"
        )
    return "\n".join(lines)


def _promise_in_words(one: evaluation.Evaluation) -> str:
    sure = one.correct[one.is_sure]
    wrong = f", {np.mean(~sure):.2%} of these wrong" if len(sure) else ""
    return (
        f"  promised at most {one.promise.error_rate:.1%} wrong: sure of {np.mean(one.is_sure):.2%}{wrong}; "
        f"{np.mean(~one.is_covered):.2%} of the prediction sets miss the true digit, "
        f"{one.sets.sum(axis=1).mean():.3f} digits each on average"
    )


def _in_words(group: Group) -> str:
    return (
        f"  {group.name}: {group.errors} wrong of {group.digits:,} digits by {len(group.rates)} people, accuracy "
        f"{group.accuracy.value:.2%} (95 % interval over writers {group.accuracy.low:.2%} to "
        f"{group.accuracy.high:.2%}); {group.without_errors:.0%} of them have no errors, the worst tenth "
        f"an error rate of {group.worst:.2%}"
    )


def _failed(by_writer: evaluation.ByWriter) -> list[dict]:
    """The people with more than one misread digit, those with the most first, as the page shows them."""
    return [
        {
            "person": person,
            "series": SERIES[series],
            "digits": digits,
            "errors": _shown(by_writer.evaluation, by_writer.misread(person)),
        }
        for person, series, digits, errors in by_writer.people[:SHOWN_PEOPLE].tolist()
        if errors > 1
    ]


def _write_model(one: evaluation.Evaluation, report_folder: Path, by_writer: evaluation.ByWriter | None) -> dict:
    """Write the files of one model, and return what the page's template shows of it."""
    folder = output_folder(report_folder / safe_name(one.name))
    for earlier in folder.glob("confused_*.p[nd][gf]"):
        earlier.unlink()
    write_text(folder / "classification_report.txt", one.classification_report())
    errors = one.errors()[:SHOWN_ERRORS]
    shown = {
        "confusion": plots.confusion_matrix(one.confusion, f"{one.name}: confusion matrix"),
        "confidence": plots.confidence_histogram(one.confidence, one.correct, f"{one.name}: confidence"),
        "reliability": plots.reliability_diagram({one.name: one.reliability}),
    }
    if len(errors):
        shown["errors"] = figures.digit_grid(one.digits.images[errors], _titles(one, errors))
    pairs = metrics.most_confused(one.confusion, SHOWN_PAIRS)
    for true, predicted, _ in pairs:
        examples = one.examples(true, predicted)[:SHOWN_EXAMPLES]
        grid = figures.digit_grid(one.digits.images[examples], _titles(one, examples), columns=SHOWN_EXAMPLES)
        shown[f"confused_{true}_as_{predicted}"] = grid
    return {
        "name": one.name,
        "pictures": write_figures(shown, report_folder, folder.name),
        "pairs": pairs,
        "wrong": len(one.errors()),
        "errors": _errors(one),
        "by_digit": report_tables.by_digit(one),
        "by_writer": report_tables.by_writer(by_writer) if by_writer else None,
        "failed": _failed(by_writer) if by_writer else [],
    }


def _errors(one: evaluation.Evaluation) -> list[dict]:
    """The most confident errors of each true digit as the page shows them, the most confident first."""
    errors, labels = one.errors(), one.digits.labels
    chosen = np.concatenate([errors[labels[errors] == digit][:SHOWN_ERRORS_PER_DIGIT] for digit in range(10)])
    return _shown(one, chosen[np.argsort(-one.confidence[chosen], kind="stable")])


def _shown(one: evaluation.Evaluation, indices: np.ndarray) -> list[dict]:
    return [
        {
            "label": int(one.digits.labels[index]),
            "answer": int(one.predictions[index]),
            "note": percent(float(one.confidence[index])),
            "source": data_uri(on_paper(one.digits.images[index])),
        }
        for index in indices
    ]


def _as_json(
    one: evaluation.Evaluation,
    answered: Mapping[float, intervals.Estimate],
    by_writer: evaluation.ByWriter | None,
) -> dict:
    people = ("writer", "series", "digits", "errors")
    return {
        "scores": one.scores(),
        "by_digit": one.classification_report(as_dict=True),
        "confusion": one.confusion.tolist(),
        "most_confused": metrics.most_confused(one.confusion, SHOWN_PAIRS),
        "reliability": {
            key: [None if np.isnan(number) else float(number) for number in numbers]
            for key, numbers in asdict(one.reliability).items()
        },
        "selective": {
            "aurc": one.risk_coverage.aurc,
            "augrc": one.risk_coverage.augrc,
            "answered": [{"error_rate": rate} | asdict(estimate) for rate, estimate in answered.items()],
        },
        "promise": None
        if one.promise is NONE
        else {
            "error_rate": one.promise.error_rate,
            "sure": int(one.is_sure.sum()),
            "sure_but_wrong": int((one.is_sure & ~one.correct).sum()),
            "not_covered": int((~one.is_covered).sum()),
            "set_sizes": np.bincount(one.sets.sum(axis=1), minlength=11).tolist(),
        },
        "errors": [
            {
                "index": int(index),
                "true": int(one.digits.labels[index]),
                "predicted": int(one.predictions[index]),
                "confidence": float(one.confidence[index]),
            }
            for index in one.errors()
        ],
    } | (
        {
            "by_writer": {
                "groups": [asdict(group) | {"rates": group.rates.tolist()} for group in by_writer.groups()],
                "people": [dict(zip(people, row, strict=True)) for row in by_writer.people.tolist()],
            }
        }
        if by_writer
        else {}
    )


def _titles(one: evaluation.Evaluation, indices: np.ndarray) -> list[str]:
    return [f"{one.digits.labels[i]} as {one.predictions[i]}, {percent(float(one.confidence[i]))}" for i in indices]
