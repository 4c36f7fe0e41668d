"""The files of a study: its results as JSON, a table of all runs, figures, and a page."""

import json
from dataclasses import asdict
from pathlib import Path

from digits import files
from digits.reporting.html import Picture, write_figures, write_page
from digits.studies import plots, tables
from digits.studies.results import Results, Variant
from digits.studies.runner import MNIST_C, FinishedRun


def write_tables(results: Results, summary: dict, folder: Path) -> dict[str, Picture]:
    """Write `results.json`, `runs.csv`, `study.png` and, for two or more variants, `differences.png`.

    Args:
        summary: as `summarise` returns it.

    Returns:
        The figures for the page, by name.
    """
    import pandas

    files.write_text(folder / "results.json", json.dumps(summary, indent=1) + "\n")
    files.write_text(folder / "runs.csv", pandas.DataFrame(summary["runs"]).to_csv(index=False))
    figures = {"study": plots.seeds_and_means(results.variants)}
    if results.comparisons:
        figures["differences"] = plots.differences(results)
    return write_figures(figures, folder)


def write(results: Results, summary: dict, folder: Path) -> Path:
    """Write the files of `write_tables`, and `report.html` with all of them on one page.

    Returns:
        The path of the HTML page.
    """
    return write_page(
        folder,
        "study.html.j2",
        summary=summary,
        tables=tables.of_report(summary),
        pictures=write_tables(results, summary, folder),
        **origin(summary),
    )


def origin(summary: dict) -> dict:
    """The seeds and hashes of a study, for its page."""
    return {
        "seeds": f"{', '.join(map(str, summary['seeds']))} for training; 0 for the bootstrap",
        "hashes": {f"{run['variant']}, seed {run['seed']}": run["sha256"] for run in summary["runs"]},
    }


def summarise(results: Results) -> dict:
    """All results, ready for JSON."""
    study = results.study
    return {
        "name": study.name,
        "description": study.description,
        "scored_on": study.scored_on,
        "seeds": list(study.seeds),
        "variants": {each.name: summarise_variant(each) for each in results.variants},
        "comparisons": [
            {
                "variant": each.variant,
                "against": results.variants[0].name,
                "measure": each.measure,
                "difference": asdict(each.difference),
                "p_value": each.p_value,
            }
            for each in results.comparisons
        ],
        "runs": [_run(each) for each in results.finished],
    }


def summarise_variant(variant: Variant) -> dict:
    """A variant's results over all seeds, ready for JSON."""
    return {
        "trainer": variant.runs[0].run.trainer,
        "options": variant.runs[0].run.options,
        "parameters": variant.runs[0].card["parameters"],
        "accuracy": {
            measure: asdict(estimate)
            | {
                "worst": float(variant.accuracy[measure].min()),
                "deviation": float(variant.accuracy[measure].std(ddof=1)) if len(variant.runs) > 1 else None,
            }
            for measure, estimate in variant.estimates.items()
        },
        "ece": {"clean": variant.mean_ece(slice(0, 1)), "mnist_c": variant.mean_ece(slice(1, None))},
        "by_corruption": variant.by_corruption,
        "training_seconds": [run.card["training"]["seconds"] for run in variant.runs],
        "median_seed": variant.median.run.seed,
    }


def _run(finished: FinishedRun) -> dict:
    """One row of `runs.csv`."""
    card, accuracies = finished.card, finished.correct.mean(axis=1)
    return {
        "variant": finished.run.variant,
        "seed": finished.run.seed,
        "validation": card["scores"]["validation"]["accuracy"],
        "validation_nll": card["scores"]["validation"]["nll"],
        "clean": float(accuracies[0]),
        "ece": float(finished.ece[0]),
        "mnist_c": float(accuracies[1:].mean()),
        "mnist_c_ece": float(finished.ece[1:].mean()),
        "handwriting": float(finished.handwriting.mean()) if len(finished.handwriting) else None,
        "seconds": card["training"]["seconds"],
        "sha256": card["checkpoint"]["sha256"],
    } | dict(zip(MNIST_C, accuracies[1:].tolist(), strict=True))
