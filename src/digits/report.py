"""Files that people open: pictures, tables and self-contained HTML pages, made from results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from digits import cards, data, evaluation, metrics, paths, plots
from digits.augmentation import BY_NAME
from digits.data import Splits
from digits.pages import inline, markdown_table, render, save_figure

SAMPLES_A_CLASS = 10
SHOWN_ERRORS = 40
SHOWN_PAIRS = 6
SHOWN_EXAMPLES = 6


def write_data_pictures(splits: Splits, augmentation: str, seed: int, folder: Path) -> list[Path]:
    """Write `samples.png` (and each sample alone in `samples/`), `classes.png` and `augmented.png`."""
    digits = splits.train
    samples = np.concatenate([data.representative(digits, digit, SAMPLES_A_CLASS) for digit in range(10)])
    alone = paths.output_folder(folder / "samples")
    for position, index in enumerate(samples):
        path = alone / f"{digits.labels[index]}_{position % SAMPLES_A_CLASS}.png"
        paths.write_png(path, digits.images[index])
    parts = {part: getattr(splits, part).labels for part in ("train", "validation", "test")}
    # One digit of each class, as it is in the first row and changed at random in the others.
    originals = digits.images[samples[::SAMPLES_A_CLASS]]
    rng = np.random.default_rng(seed)
    changed = [BY_NAME[augmentation](originals, rng, np.arange(10)) for _ in range(9)]
    return [
        save_figure(
            plots.digit_grid(digits.images[samples], title="Ten training digits of each class, typical to unusual"),
            folder / "samples.png",
        ),
        save_figure(plots.class_distribution(parts), folder / "classes.png"),
        save_figure(
            plots.digit_grid(np.concatenate([originals, *changed]), title=f"Digits under {augmentation} augmentation"),
            folder / "augmented.png",
        ),
    ]


def write_training_curves(history: Mapping[str, Sequence[float]], folder: Path) -> Path:
    """Write `curves.png`: accuracy, loss and learning rate by epoch."""
    return save_figure(plots.training_curves(history), folder / "curves.png")


def write_finetuning(
    labels: np.ndarray, before: np.ndarray, after: np.ndarray, curve: Sequence[Mapping], folder: Path
) -> list[Path]:
    """Write `before_and_after.png`, and `learning_curve.png` where there is one."""
    written = [save_figure(plots.before_and_after(labels, before, after), folder / "before_and_after.png")]
    if curve:
        written.append(save_figure(plots.learning_curve(curve), folder / "learning_curve.png"))
    return written


def comparison_table(published: Sequence[dict]) -> str:
    """The cards' test scores as a Markdown table, best first; a plain table on a terminal too."""
    rows = []
    for card in sorted(published, key=lambda card: -card["scores"]["test"]["accuracy"]):
        test = card["scores"]["test"]
        low, high = test["interval"]
        trained = cards.duration(card["training"]["seconds"])
        interval = f"{low:.2%} – {high:.2%}"
        rows.append([f"`{card['name']}`", f"{test['accuracy']:.2%}", interval, f"{card['parameters']:,}", trained])
    return markdown_table(["model", "test accuracy", "95 % interval", "parameters", "trained in"], rows)


def write_comparison(published: Sequence[dict], folder: Path) -> Path:
    """Write `comparison.png`: the cards' test errors."""
    tests = [card["scores"]["test"] for card in published]
    figure = plots.error_rates(
        [card["name"] for card in published], [test["accuracy"] for test in tests], [test["interval"] for test in tests]
    )
    return save_figure(figure, paths.output_folder(folder) / "comparison.png")


def write_evaluation(evaluations: Sequence[evaluation.Evaluation], source: str, folder: Path) -> Path:
    """Write the whole evaluation of one or several models on the same digits.

    Writes `report.html`, `results.json`, `summary.txt`, `label_map.txt`, and for each model a folder with its
    `classification_report.txt` and pictures.

    Returns:
        The path of the HTML page.
    """
    comparisons = evaluation.compare_all(evaluations)
    models = [_write_model(one, paths.output_folder(folder / one.name)) for one in evaluations]
    shared = save_figure(
        plots.reliability_diagram({one.name: one.reliability for one in evaluations}), folder / "reliability.png"
    )
    results = {
        "source": source,
        "models": {one.name: _as_json(one) for one in evaluations},
        "comparisons": [{"a": a, "b": b} | asdict(result) for (a, b), result in comparisons.items()],
    }
    paths.write_text(folder / "results.json", json.dumps(results, indent=1))
    paths.write_text(folder / "summary.txt", evaluation_summary(evaluations, source) + "\n")
    paths.write_text(folder / "label_map.txt", "".join(f"{digit} {digit}\n" for digit in range(10)))
    page = render(
        "evaluation.html.j2",
        source=source,
        count=len(evaluations[0].digits),
        models=models,
        comparisons=comparisons,
        reliability=inline(shared),
    )
    paths.write_text(folder / "report.html", page)
    return folder / "report.html"


def evaluation_summary(evaluations: Sequence[evaluation.Evaluation], source: str) -> str:
    """The evaluation in a few lines of plain text."""
    lines = [f"{len(evaluations[0].digits):,} digits: {source}"]
    for one in evaluations:
        scores = one.scores()
        low, high = scores["interval"]
        lines.append(
            f"{one.name}: {scores['accuracy']:.2%} right (95 % interval {low:.2%} to {high:.2%}), "
            f"{scores['n'] - scores['correct']} wrong, ECE {scores['ece']:.2%}, NLL {scores['nll']:.4f}, "
            f"Brier {scores['brier']:.4f}"
        )
        pairs = metrics.most_confused(one.confusion, SHOWN_PAIRS)
        lines.append("  most confused: " + (", ".join(f"{t} as {p} ({n}×)" for t, p, n in pairs) or "none"))
    for (a, b), result in evaluation.compare_all(evaluations).items():
        low, high = result.interval
        lines.append(
            f"{a} minus {b}: {100 * result.difference:+.2f} points "
            f"(95 % interval {100 * low:+.2f} to {100 * high:+.2f}), McNemar p = {result.p_value:.2g}; "
            f"only {a} right {result.only_a}×, only {b} right {result.only_b}×"
        )
    return "\n".join(lines)


def _write_model(one: evaluation.Evaluation, folder: Path) -> dict:
    """Write a model's own files; give what the page's template shows of it."""
    for earlier in folder.glob("confused_*.png"):
        earlier.unlink()
    paths.write_text(folder / "classification_report.txt", one.classification_report())
    errors = one.errors()[:SHOWN_ERRORS]
    pictures = {
        "confusion": plots.confusion(one.confusion, f"{one.name}: what was taken for what"),
        "confidence": plots.confidence_histogram(one.confidence, one.correct, f"{one.name}: confidence"),
        "reliability": plots.reliability_diagram({one.name: one.reliability}),
    }
    if len(errors):
        pictures["errors"] = plots.digit_grid(one.digits.images[errors], _titles(one, errors))
    files = {name: save_figure(figure, folder / f"{name}.png") for name, figure in pictures.items()}
    pairs = []
    for true, answer, count in metrics.most_confused(one.confusion, SHOWN_PAIRS):
        examples = one.examples(true, answer)[:SHOWN_EXAMPLES]
        grid = plots.digit_grid(one.digits.images[examples], _titles(one, examples), columns=SHOWN_EXAMPLES)
        path = save_figure(grid, folder / f"confused_{true}_as_{answer}.png")
        pairs.append({"true": true, "answer": answer, "count": count, "picture": inline(path)})
    return {
        "name": one.name,
        "scores": one.scores(),
        "report": one.classification_report(as_dict=True),
        "pictures": {name: inline(path) for name, path in files.items()},
        "pairs": pairs,
        "shown_errors": len(errors),
    }


def _as_json(one: evaluation.Evaluation) -> dict:
    return {
        "scores": one.scores(),
        "by_digit": one.classification_report(as_dict=True),
        "confusion": one.confusion.tolist(),
        "most_confused": metrics.most_confused(one.confusion, SHOWN_PAIRS),
        "reliability": {
            key: [None if np.isnan(number) else float(number) for number in numbers]
            for key, numbers in asdict(one.reliability).items()
        },
        "errors": [
            {
                "index": int(index),
                "true": int(one.digits.labels[index]),
                "answer": int(one.predictions[index]),
                "confidence": float(one.confidence[index]),
            }
            for index in one.errors()
        ],
    }


def _titles(one: evaluation.Evaluation, indices: np.ndarray) -> list[str]:
    return [f"{one.digits.labels[i]} as {one.predictions[i]}, {one.confidence[i]:.0%}" for i in indices]
