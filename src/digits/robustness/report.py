"""The files of a corruption sweep: the long table, the summary, pictures, and one HTML page."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from digits import corruptions, files
from digits.checkpoints.recognizer import Recognizer
from digits.corruptions import CORRUPTIONS
from digits.metrics import intervals as metric_intervals
from digits.reporting import figures
from digits.reporting.figures import save_figure
from digits.reporting.html import inline, render
from digits.reporting.words import percent
from digits.robustness import plots, worst_case
from digits.robustness.analysis import FLOOR, Robustness
from digits.robustness.tables import amount_text, standing_when_clean

SHOWN_SURPRISES = 20


def write(found: Robustness, summary: dict, worst: dict, problems: Sequence[str], folder: Path) -> Path:
    """Write everything that a sweep found.

    Writes `results.csv`, `results.json`, `comparisons.csv`, `pairs.csv`, `summary.json`, pictures and `report.html`.

    Args:
        summary: as `summarise` gives it.
        worst: the worst cases, as `worst_case.measure` gives them; empty if they were left out.
        problems: a line for each checkpoint that couldn't be loaded.

    Returns:
        The path of the HTML page.
    """
    import pandas

    table = pandas.DataFrame(found.rows())
    tables = {"results": table, "comparisons": pandas.DataFrame(found.comparisons)}
    if worst and worst["by_pair"]:
        tables["pairs"] = pandas.DataFrame(worst["by_pair"])
    for name, frame in tables.items():
        files.write_text(folder / f"{name}.csv", frame.to_csv(index=False))
    files.write_text(folder / "results.json", table.to_json(orient="records", indent=1))
    files.write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    pictures = _write_pictures(found, worst, folder)
    page = render(
        "robustness.html.j2",
        summary=summary,
        pictures={name: inline(path) for name, path in pictures.items()},
        problems=problems,
        floor=FLOOR,
        amount_text=amount_text,
        standing=standing_when_clean(summary),
    )
    files.write_text(folder / "report.html", page)
    return folder / "report.html"


def summarise(found: Robustness, worst: dict, external: dict) -> dict:
    """What the page's tables show, as JSON can hold it.

    Args:
        worst: the worst cases, as `worst_case.measure` gives them; empty if they were left out.
        external: scores on damaged sets from elsewhere, by set and model; empty without one.
    """
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
                "last": row[0].corruption.amount(plan.severities[-1]),
                "models": {name: threshold.as_dict() for name, threshold in zip(found.names, row, strict=True)},
            }
            for row in found.thresholds
        ],
        "mnist_c": found.mnist_c(),
        "exposures": dict(zip(found.names, found.exposures.tolist(), strict=True)),
        "worst_case": {name: part for name, part in worst.items() if name != "by_pair"},
        "external": external,
    }


def write_one_picture(recogniser: Recognizer, damaged: np.ndarray, title: str, folder: Path) -> str:
    """Write `NAME.png`, one image under all damage with a model's answers; give in words what changes the answer.

    Args:
        damaged: as `worst_case.every_damage` gives it, uint8 (corruptions, 6, 28, 28).
    """
    probabilities = worst_case.probabilities_under_damage(recogniser, damaged)
    figure = plots.damage_grid(
        damaged, probabilities, tuple(CORRUPTIONS.values()), f"{title} as {recogniser.name} reads it"
    )
    picture = save_figure(figure, folder / f"{recogniser.name}.png")
    flips = [
        f"  {name} from {CORRUPTIONS[name].amount(severity):g} {CORRUPTIONS[name].unit}"
        for name, severity in worst_case.smallest_flip(probabilities).items()
        if severity
    ]
    answer = f"{recogniser.name}: {probabilities[0, 0].argmax()}"
    told = [f"{answer}; this changes the answer:", *flips] if flips else [f"{answer}; nothing here changes the answer"]
    return "\n".join([*told, f"  picture: {picture}"])


def _write_pictures(found: Robustness, worst: dict, folder: Path) -> dict[str, Path]:
    results, plan = found.results, found.results.plan
    intervals = np.array(
        [
            [metric_intervals.wilson_interval(int(right.sum()), right.size) for right in models]
            for models in results.correct
        ]
    )
    low, high = (found.by_severity(intervals[:, :, bound]) for bound in (0, 1))
    ece = found.by_severity(np.array([cell.ece for cell in results.cells])).mean(axis=0)
    confidence = found.by_severity(np.array([cell.mean_confidence for cell in results.cells])).mean(axis=0)
    damaged = found.accuracy[:, 1:].mean(axis=1).T
    saved = {}

    def save(name: str, figure: Figure) -> None:
        saved[name] = save_figure(figure, folder / f"{name}.png")

    save("samples", plots.sample_sheet(_sample_sheet(found), found.corruptions, plan.severities))
    save("heat_map", plots.heat_map(found.corruptions, found.names, damaged, found.exposures))
    save(
        "curves",
        plots.accuracy_curves(found.corruptions, found.positions, found.names, found.accuracy, low, high, FLOOR),
    )
    save(
        "calibration",
        plots.calibration_under_shift(found.positions, found.names, ece, confidence, found.accuracy.mean(axis=0)),
    )
    for model, name in enumerate(found.names):
        if surprises := found.surprises(model, SHOWN_SURPRISES):
            save(f"surprises_{name}", _surprises(found, surprises))
        if worst and worst["by_pair"]:
            pairs = {(row["first"], row["then"]): row[name] for row in worst["by_pair"]}
            kinds = [corruption.name for corruption in found.corruptions]
            save(f"pairs_{name}", plots.pair_map(kinds, pairs, f"{name}: two corruptions at once"))
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
            f"{one['label']} as {one['answer']}, {percent(one['confidence'])}\n"
            f"{corruption.name} {corruption.amount(one['severity']):g}"
        )
    return figures.digit_grid(np.array(images), titles, columns=5)


def _damaged(found: Robustness, corruption: str, severity: int, place: int) -> np.ndarray:
    """One image of the sweep, damaged again as it was then."""
    plan = found.results.plan
    part = slice(place, place + 1)
    return corruptions.corrupt(plan.digits.images[part], corruption, severity, plan.seed, plan.indices[part])[0]


def _plain(row: dict) -> dict:
    def plain(value):
        if isinstance(value, metric_intervals.Estimate):
            return asdict(value)
        return {name: plain(inner) for name, inner in value.items()} if isinstance(value, dict) else value

    return plain(row)
