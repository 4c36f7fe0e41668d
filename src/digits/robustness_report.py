"""The files of a corruption sweep: the long table, the summary, pictures, and one HTML page."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from digits import paths, plots, robustness_plots, statistics, sweep
from digits.corruptions import CORRUPTIONS
from digits.pages import inline, render, save_figure
from digits.robustness import FLOOR, Robustness

SHOWN_SURPRISES = 20


def write(found: Robustness, worst: dict, external: dict, problems: Sequence[str], folder: Path) -> Path:
    """Write everything that a sweep found.

    Writes `results.csv`, `results.json`, `comparisons.csv`, `summary.json`, pictures and `report.html`.

    Args:
        worst: the worst cases, as `worst_case.measure` gives them; empty if they were left out.
        external: scores on damaged sets from elsewhere, by set and model; empty without one.
        problems: a line for each checkpoint that couldn't be loaded.

    Returns:
        The path of the HTML page.
    """
    import pandas

    table = pandas.DataFrame(found.results.rows())
    comparisons = pandas.DataFrame(found.comparisons)
    for name, frame in (("results", table), ("comparisons", comparisons)):
        paths.write_text(folder / f"{name}.csv", frame.to_csv(index=False))
    paths.write_text(folder / "results.json", table.to_json(orient="records", indent=1))
    summary = summarise(found, worst, external)
    paths.write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    pictures = _write_pictures(found, worst, folder)
    page = render(
        "robustness.html.j2",
        summary=summary,
        found=found,
        pictures={name: inline(path) for name, path in pictures.items()},
        problems=problems,
        floor=FLOOR,
        amount_text=amount_text,
        sample_count=len(found.results.plan.digits),
    )
    paths.write_text(folder / "report.html", page)
    return folder / "report.html"


def summarise(found: Robustness, worst: dict, external: dict) -> dict:
    """What the page's tables show, as JSON can hold it."""
    plan = found.results.plan
    return {
        "source": plan.source,
        "images": len(plan.digits),
        "seed": plan.seed,
        "severities": list(plan.severities),
        "corruptions": [
            {"name": each.name, "kind": each.kind, "unit": each.unit, "mnist_c": each.mnist_c}
            for each in plan.corruptions
        ],
        "models": {model.name: model.sha256 for model in plan.models},
        "baseline": found.baseline,
        "headline": [_plain(row) for row in found.headline()],
        "duels": [_plain(row) for row in found.duels()],
        "thresholds": [
            {
                "corruption": row[0].corruption.name,
                "unit": row[0].corruption.unit,
                "last": row[0].corruption.levels[-1],
                "models": {name: threshold.as_dict() for name, threshold in zip(found.names, row, strict=True)},
            }
            for row in found.thresholds
        ],
        "exposures": dict(zip(found.names, found.exposures.tolist(), strict=True)),
        "worst_case": worst,
        "external": external,
    }


def summary_text(summary: dict) -> str:
    """The headline as a Markdown table; a plain table on a terminal too."""
    columns = ["model", "clean", "all damage", "MNIST-C levels", "unseen by all", "mCE", "worst kind"]
    if summary["worst_case"]:
        columns.insert(-1, "turned and shifted")
    lines = ["| " + " | ".join(columns) + " |", "| --- |" + " ---: |" * (len(columns) - 2) + " --- |"]
    for row in summary["headline"]:
        cells = [
            f"`{row['model']}`",
            _percent(row["clean"]),
            _percent(row["all"], interval=True),
            _percent(row["mnist_c"]),
            _percent(row["unseen_by_all"]),
            _percent(row["mce"]["mean_of_ratios"], places=0),
            f"{row['worst']} ({row['worst_accuracy']:.0%})",
        ]
        if summary["worst_case"]:
            cells.insert(-1, _percent(summary["worst_case"]["turns"]["models"][row["model"]]))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def amount_text(threshold: dict, last: float) -> tuple[str, str]:
    """A failure threshold in words: the amount and its interval, or why there is none."""
    severity, *bounds = threshold["severity"]
    if severity is None:
        return f"holds to {last:g}", ""
    if severity == 0:
        return "below when clean", ""
    amount, *limits = threshold["amount"]
    low, high = (
        "clean" if place == 0 else "beyond" if limit is None else f"{limit:.3g}"
        for place, limit in zip(bounds, limits, strict=True)
    )
    return f"{amount:.3g}", f"{low} – {high}"


def _write_pictures(found: Robustness, worst: dict, folder: Path) -> dict[str, Path]:
    results, plan = found.results, found.results.plan
    intervals = np.array(
        [[statistics.wilson_interval(int(right.sum()), right.size) for right in models] for models in results.correct]
    )
    low, high = (found.by_severity(intervals[:, :, bound]) for bound in (0, 1))
    ece = found.by_severity(np.array([cell.ece for cell in results.cells])).mean(axis=0)
    confidence = found.by_severity(np.array([cell.mean_confidence for cell in results.cells])).mean(axis=0)
    damaged = found.accuracy[:, 1:].mean(axis=1).T
    saved = {}

    def save(name: str, figure: Figure) -> None:
        saved[name] = save_figure(figure, folder / f"{name}.png")

    save("samples", robustness_plots.sample_sheet(_sample_sheet(found), found.corruptions, plan.severities))
    save("heat_map", robustness_plots.heat_map(found.corruptions, found.names, damaged, found.exposures))
    save(
        "curves",
        robustness_plots.accuracy_curves(
            found.corruptions, found.positions, found.names, found.accuracy, low, high, FLOOR
        ),
    )
    save(
        "calibration",
        robustness_plots.calibration_under_shift(
            found.positions, found.names, ece, confidence, found.accuracy.mean(axis=0)
        ),
    )
    for model, name in enumerate(found.names):
        if surprises := found.surprises(model, SHOWN_SURPRISES):
            save(f"surprises_{name}", _surprises(found, surprises))
        if worst:
            pairs = {tuple(pair["pair"]): pair["accuracy"][name] for pair in worst["pairs"]["all"]}
            kinds = [corruption.name for corruption in found.corruptions]
            save(f"pairs_{name}", robustness_plots.pair_map(kinds, pairs, f"{name}: two corruptions at once"))
    return saved


def _sample_sheet(found: Robustness) -> np.ndarray:
    """A digit a corruption, clean and at every severity."""
    plan = found.results.plan
    return np.array(
        [
            [_damaged(found, corruption.name, severity, turn % len(plan.digits)) for severity in (0, *plan.severities)]
            for turn, corruption in enumerate(found.corruptions)
        ]
    )


def _surprises(found: Robustness, surprises: Sequence[dict]) -> Figure:
    images = [_damaged(found, one["corruption"], one["severity"], one["place"]) for one in surprises]
    titles = []
    for one in surprises:
        corruption = CORRUPTIONS[one["corruption"]]
        titles.append(
            f"{one['label']} as {one['answer']}, {one['confidence']:.0%}\n"
            f"{corruption.name} {corruption.amount(one['severity']):g}"
        )
    return plots.digit_grid(np.array(images), titles, columns=5)


def _damaged(found: Robustness, corruption: str, severity: int, place: int) -> np.ndarray:
    """One image of the sweep, damaged again as it was then."""
    plan = found.results.plan
    part = slice(place, place + 1)
    return sweep.damage(plan.digits.images[part], corruption, severity, plan.seed, plan.indices[part])[0]


def _plain(row: dict) -> dict:
    def plain(value):
        if isinstance(value, statistics.Estimate):
            return asdict(value)
        return {name: plain(inner) for name, inner in value.items()} if isinstance(value, dict) else value

    return plain(row)


def _percent(estimate: dict | None, interval: bool = False, places: int = 2) -> str:
    if estimate is None:
        return "–"
    text = f"{100 * estimate['value']:.{places}f}%"
    return f"{text} ± {50 * (estimate['high'] - estimate['low']):.2f}" if interval else text
