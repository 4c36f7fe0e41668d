"""The files of a study: every run, means and tests as JSON, a table, a picture, a page; and the models it ships."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from digits import cards, data, paths, study_plots, study_tables
from digits.pages import inline, render, save_figure
from digits.study import MNIST_C, Finished, Place
from digits.study_results import Results, Variant


def write_tables(results: Results, summary: dict, folder: Path) -> list[Path]:
    """Write `results.json`, `runs.csv`, `study.png` and, if there is anything to compare, `differences.png`.

    Args:
        summary: as `summarise` gives it.

    Returns:
        The paths of the pictures.
    """
    import pandas

    paths.write_text(folder / "results.json", json.dumps(summary, indent=1) + "\n")
    paths.write_text(folder / "runs.csv", pandas.DataFrame(summary["runs"]).to_csv(index=False))
    pictures = [save_figure(study_plots.seeds_and_means(results.variants), folder / "study.png")]
    if results.comparisons:
        pictures.append(save_figure(study_plots.differences(results), folder / "differences.png"))
    return pictures


def write(results: Results, summary: dict, folder: Path) -> Path:
    """Write the tables and, with them on one page, `report.html`.

    Returns:
        The path of the HTML page.
    """
    pictures = write_tables(results, summary, folder)
    page = render(
        "study.html.j2",
        summary=summary,
        header=study_tables.HEADER,
        rows=study_tables.rows(summary),
        duels=study_tables.duels(summary),
        pictures=[inline(picture) for picture in pictures],
        measures=study_tables.MEASURES,
    )
    paths.write_text(folder / "report.html", page)
    return folder / "report.html"


def summarise(results: Results) -> dict:
    """Everything found, as JSON can hold it."""
    study = results.study
    return {
        "name": study.name,
        "description": study.description,
        "scored_on": study.scored_on,
        "seeds": list(study.seeds),
        "variants": {each.name: _variant(each) for each in results.variants},
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


def _variant(variant: Variant) -> dict:
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


def _run(finished: Finished) -> dict:
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


def ship(variant: Variant, place: Place, models_dir: Path) -> Path:
    """Put a variant's median seed into `models_dir`; its card gains what the study found over all seeds.

    Returns:
        The path of the card.
    """
    chosen = variant.median
    source, card = place.of(chosen.run), dict(chosen.card)
    if not (source / card["twin"]["file"]).is_file():
        _make_twin(source, card, place.data_dir)
        cards.write(source / f"{variant.name}.json", card)
    card["study"] = {
        "seeds": [run.run.seed for run in variant.runs],
        "chosen": "the median seed by validation accuracy",
        **_variant(variant),
    }
    with paths.locked(models_dir, "--models-dir", variant.name):
        for kind in ("checkpoint", "twin"):
            name = card[kind]["file"]
            with paths.replacing(models_dir / name) as temporary:
                shutil.copyfile(source / name, temporary)
        cards.write(models_dir / f"{variant.name}.json", card)
    return models_dir / f"{variant.name}.json"


def _make_twin(folder: Path, card: dict, data_dir: Path) -> None:
    """Make the twin of a run that was kept without it, and enter it on the card."""
    import keras

    from digits import publishing, twin

    path = folder / card["twin"]["file"]
    model = keras.saving.load_model(folder / card["checkpoint"]["file"], compile=False)
    difference = twin.export(model, path, publishing.probe_of(data.load_splits(data_dir)))
    card["twin"] = cards.file_entry(path) | {"largest_difference": difference}
