"""Write the report of a corruption sweep: tables, a summary, figures, and one HTML page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from digits import corruptions, files, preprocess
from digits.checkpoints.recognizer import Classifier
from digits.corruptions import CORRUPTIONS
from digits.data import Digits
from digits.metrics import intervals
from digits.reporting import figures
from digits.reporting.figures import save_figure
from digits.reporting.html import write_figures, write_page
from digits.reporting.thumbnails import data_uri, on_paper
from digits.reporting.words import percent
from digits.robustness import plots, promises, tables, worst_case
from digits.robustness.analysis import ACCEPTABLE_ACCURACY, Robustness, score_all
from digits.robustness.plan import Model, open_model
from digits.robustness.sweep import Results

SHOWN_ERRORS = 20


def evaluate(
    results: Results,
    baseline: str,
    original: Mapping[str, Digits],
    worst_case_digits: int,
    problems: Sequence[str],
    folder: Path,
) -> tuple[dict, Path]:
    """Measure what a finished sweep doesn't cover, and write the full report.

    Args:
        baseline: name of the model that corruption errors are relative to.
        original: other corrupted digits to score the models on, by name.
        worst_case_digits: number of digits to measure worst cases on; 0 for none.
        problems: a line for each checkpoint that couldn't be loaded.

    Returns:
        The `summarise`d results, and the path of the HTML page.
    """
    from tqdm import tqdm

    recognisers = [open_model(model) for model in results.plan.models]
    worst = worst_case.measure(recognisers, results.plan, worst_case_digits, tqdm) if worst_case_digits else {}
    external = {name: score_all(recognisers, digits) for name, digits in original.items()}
    robustness = Robustness(results.best_first(), {each.name: each.card for each in recognisers}, baseline)
    # Free the models' memory, because the report doesn't need them.
    del recognisers
    open_model.cache_clear()
    summary = summarise(robustness, worst, external)
    return summary, write(robustness, summary, worst, problems, folder)


def write(robustness: Robustness, summary: dict, worst: dict, problems: Sequence[str], folder: Path) -> Path:
    """Write `report.html`, `summary.json`, `results.csv`, `comparisons.csv`, `pairs.csv` and figures.

    Args:
        summary: from `summarise`.
        worst: from `worst_case.measure`, or empty.
        problems: a line for each checkpoint that couldn't be loaded.

    Returns:
        The path of the HTML page.
    """
    import pandas

    long_tables = {"results": robustness.rows(), "comparisons": robustness.cell_comparisons}
    if worst and worst["by_pair"]:
        long_tables["pairs"] = worst["by_pair"]
    for name, rows in long_tables.items():
        files.write_text(folder / f"{name}.csv", pandas.DataFrame(rows).to_csv(index=False))
    files.write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    return write_page(
        folder,
        "robustness.html.j2",
        summary=summary,
        tables=tables.of_report(summary),
        pictures=write_figures(_figures(robustness, worst), folder),
        surprising_errors={
            name: errors
            for model, name in enumerate(robustness.names)
            if (errors := _surprising_errors(robustness, model))
        },
        problems=problems,
        floor=ACCEPTABLE_ACCURACY,
        seeds=f"{summary['seed']} for the corruptions and for the bootstrap",
        hashes=summary["models"] | {"digits": robustness.results.plan.digits.sha256},
    )


def summarise(robustness: Robustness, worst: dict, external: dict) -> dict:
    """The content of the page's tables, ready for JSON.

    Args:
        worst: from `worst_case.measure`, or empty.
        external: scores on other corrupted data sets, from `analysis.score_all`, by their names; perhaps empty.
    """
    plan = robustness.results.plan
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
        "baseline": robustness.baseline,
        # As plain dictionaries.
        "headline": json.loads(json.dumps(robustness.headline(), default=asdict)),
        "pairwise_comparisons": json.loads(json.dumps(robustness.pairwise_comparisons(), default=asdict)),
        "thresholds": [
            {
                "corruption": row[0].corruption.name,
                "unit": row[0].corruption.unit,
                "last": row[0].corruption.amount(plan.severities[-1]),
                "models": {name: threshold.as_dict() for name, threshold in zip(robustness.names, row, strict=True)},
            }
            for row in robustness.thresholds
        ],
        "mnist_c": robustness.mnist_c(),
        "promises": promises.kept(robustness),
        "exposures": dict(zip(robustness.names, robustness.exposures.tolist(), strict=True)),
        "worst_case": {name: part for name, part in worst.items() if name != "by_pair"},
        "external": external,
    }


def write_one_picture(picture: Path, seed: int, models: Sequence[Model], folder: Path) -> str:
    """Write `NAME.png` for each model, a picture under every corruption with its answers, and say which change them.

    Raises:
        FileNotFoundError, ValueError: the picture can't be read, or is blank.
    """
    images = worst_case.all_corruptions(preprocess.prepare_file(picture).image, seed)
    return "\n".join(_write_one_picture(open_model(model), images, picture.name, folder) for model in models)


def _write_one_picture(recogniser: Classifier, images: np.ndarray, title: str, folder: Path) -> str:
    probabilities = worst_case.predict_corrupted(recogniser, images)
    figure = plots.corruption_grid(
        images, probabilities, tuple(CORRUPTIONS.values()), f"{title}, answers of {recogniser.name}"
    )
    picture = save_figure(figure, folder / f"{files.safe_name(recogniser.name)}.png")
    flips = [
        f"  {name} from {CORRUPTIONS[name].amount(severity):g} {CORRUPTIONS[name].unit}"
        for name, severity in worst_case.least_flipping_severity(probabilities).items()
        if severity
    ]
    answer = f"{recogniser.name}: {probabilities[0, 0].argmax()}"
    lines = [f"{answer}; corruptions that change the answer:", *flips] if flips else [f"{answer} under all corruptions"]
    return "\n".join([*lines, f"  figure: {picture}"])


def _figures(robustness: Robustness, worst: dict) -> dict[str, Figure]:
    results, kinds, names, accuracy = robustness.results, robustness.corruptions, robustness.names, robustness.accuracy
    severities, cells = robustness.severities, results.cells
    bounds = [[intervals.wilson_interval(int(each.sum()), each.size) for each in models] for models in results.correct]
    low, high = (robustness.by_severity(np.array(bounds)[:, :, bound]) for bound in (0, 1))
    ece = robustness.by_severity(np.array([cell.ece for cell in cells])).mean(axis=0)
    confidence = robustness.by_severity(np.array([cell.mean_confidence for cell in cells])).mean(axis=0)
    shown = {
        "samples": plots.sample_sheet(_sample_sheet(robustness), kinds, severities[1:]),
        "heat_map": plots.heat_map(kinds, names, accuracy[:, 1:].mean(axis=1).T, robustness.exposures),
        "curves": plots.accuracy_curves(kinds, severities, names, accuracy, low, high, ACCEPTABLE_ACCURACY),
        "calibration": plots.calibration_under_shift(severities, names, ece, confidence, accuracy.mean(axis=0)),
    }
    for model, name in enumerate(names):
        if errors := _surprising_errors(robustness, model):
            titles = [f"{one['label']} as {one['answer']}, {one['note']}" for one in errors]
            shown[f"surprising_errors_{name}"] = figures.digit_grid(
                np.array([one["image"] for one in errors]), titles, columns=5
            )
        if worst and worst["by_pair"]:
            pairs = {(row["first"], row["then"]): row[name] for row in worst["by_pair"]}
            title = f"{name}: two corruptions at once"
            shown[f"pairs_{name}"] = plots.pair_map([each.name for each in kinds], pairs, title)
    return shown


def _sample_sheet(robustness: Robustness) -> np.ndarray:
    """One digit per corruption, clean and at every severity, uint8 (corruptions, 1 + severities, 28, 28)."""
    count = len(robustness.results.plan.digits)
    rows = [
        [_corrupted(robustness, corruption.name, severity, row % count) for severity in robustness.severities]
        for row, corruption in enumerate(robustness.corruptions)
    ]
    return np.array(rows)


def _surprising_errors(robustness: Robustness, model: int) -> list[dict]:
    """A model's surprising errors, each with its corrupted `image`, and `note` and `source` for the page."""
    found = []
    for one in robustness.surprising_errors(model, SHOWN_ERRORS):
        image = _corrupted(robustness, one["corruption"], one["severity"], one["index"])
        amount = CORRUPTIONS[one["corruption"]].amount(one["severity"])
        note = f"{percent(one['confidence'])}\n{one['corruption']} {amount:g}"
        found.append(one | {"image": image, "note": note, "source": data_uri(on_paper(image))})
    return found


def _corrupted(robustness: Robustness, corruption: str, severity: int, index: int) -> np.ndarray:
    """One image of the sweep, uint8 (28, 28), corrupted again as it was in the sweep."""
    plan = robustness.results.plan
    part = slice(index, index + 1)
    return corruptions.corrupt(plan.digits.images[part], corruption, severity, plan.seed, plan.indices[part])[0]
