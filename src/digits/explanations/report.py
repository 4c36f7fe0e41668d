"""The files of the explanations: figures for each model, the benchmark of methods, and one HTML page."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from digits import files
from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.data import Digits
from digits.explanations import benchmark, shapley, tables
from digits.explanations import plots as draw
from digits.explanations.benchmark import TITLES
from digits.explanations.counterfactual import comparison_text
from digits.explanations.overview import Background, Explanations, Subject
from digits.explanations.shift import Shift
from digits.reporting.html import write_figures, write_page

# How many digits figures show.
SHOWN_WITH_GROUND_TRUTH = 5
SHOWN_TRAINING_DIGITS = 5
SHOWN_CHANGED_MAPS = 8
SHIFT_SEVERITY = 2


def write(
    found: Sequence[Explanations],
    subject: Subject,
    background: Background,
    measured: dict,
    folder: Path,
    seed: int,
    hashes: Mapping[str, str],
) -> Path:
    """Write all figures, in a folder per model, `benchmark.json` if the methods were measured, and `report.html`.

    Args:
        measured: as `benchmark.run` returns it; empty if the methods weren't measured.
        seed: of all random numbers.
        hashes: SHA-256 of the checkpoints, by the models' names.

    Returns:
        The path of the page.
    """
    models = []
    labels = np.empty(0, np.uint8) if subject.labels is None else subject.labels
    for each in found:
        figures = _of_answers(each, subject, background) | _of_network(each, subject, background)
        for shift in each.shifts:
            figures |= _of_shift(shift, background)
        pictures = write_figures(figures, folder, files.safe_name(each.name))
        agreement = tables.agreement(each.name, each.agreement)
        models.append({"name": each.name, "pictures": pictures, "found": each, "agreement": agreement})
    if measured:
        files.write_text(folder / "benchmark.json", json.dumps(measured, indent=1) + "\n")
    return write_page(
        folder,
        "explanations.html.j2",
        models=models,
        subject=subject,
        benchmark=measured,
        benchmark_pictures=write_figures(benchmark_figures(measured), folder) if measured else {},
        tables=tables,
        titles=TITLES,
        counterfactual_text=comparison_text,
        seeds=f"{seed} for all random numbers",
        hashes={
            **hashes,
            "explained digits": Digits(subject.images, labels).sha256,
            "training digits": background.training.sha256,
            "digits in the feature space": background.test.sha256,
            "corrupted digits": background.shifted.sha256,
        },
    )


def benchmark_figures(measured: dict) -> dict[str, Figure]:
    """Figures of the benchmark: faithfulness over all models, and the curves and cascade of each."""
    figures = {}
    for kind, ranked in measured["ranking"].items():
        models = {name: measured["models"][name]["methods"] for name in ranked["models"]}
        by_method = {
            TITLES[name]: {model: each[name]["faithfulness"] for model, each in models.items()}
            for name in (*(row["method"] for row in ranked["methods"]), *benchmark.BASELINES)
        }
        figures[f"faithfulness {kind}"] = draw.faithfulness(by_method, list(benchmark.BASELINES.values()))
    for model, each in measured["models"].items():
        curves = {TITLES[name]: by_filling for name, by_filling in each["curves"].items()}
        figures[f"curves {model}"] = draw.deletion_and_insertion(curves, list(benchmark.BASELINES.values()))
        similarity = {
            TITLES[name]: [stage["value"] for stage in figure["randomisation"]]
            for name, figure in each["methods"].items()
            if "randomisation" in figure
        }
        figures[f"cascade {model}"] = draw.cascade(each["stages"], similarity)
    return figures


def _of_answers(found: Explanations, subject: Subject, background: Background) -> dict[str, Figure]:
    """Figures that explain the model's answers."""
    images, count = subject.images, SHOWN_WITH_GROUND_TRUTH
    names = [f"{name}: {answer}" for name, answer in zip(subject.names, found.answers, strict=True)]
    heats = {TITLES[name]: each.heat for name, each in found.attributions.items()}
    sums = {TITLES[name]: shapley.patch_sums(each.signed[:count]) for name, each in found.attributions.items()}
    assert found.contrast.versus is not None
    pairs = zip(found.contrast.target, found.contrast.versus, strict=True)
    contrasts = [f"{target}, not {other}" for target, other in pairs]
    figures = {
        "heat maps": draw.heat_maps(images, heats, names),
        "contrast": draw.signed_maps(found.contrast.signed, contrasts, outline=images),
        "ground truth": draw.ground_truth(
            images[:count], found.effects[:count], found.shares[:count], sums, names[:count]
        ),
    }
    turned = [
        (image, answer, each)
        for image, answer, each in zip(images, found.answers, found.counterfactuals, strict=True)
        if each and each.found
    ]
    if turned:
        figures["counterfactuals"] = draw.counterfactuals(
            np.stack([image for image, _, _ in turned]),
            np.stack([each.image for _, _, each in turned]),
            [f"{answer} → {each.target}: {each.changed.sum()} px" for _, answer, each in turned],
        )
    if found.related:
        related, training = found.related, background.training
        groups = {"nearest": related.nearest, "helpful": related.helpful, "harmful": related.harmful}
        chosen = {name: choose(SHOWN_TRAINING_DIGITS) for name, choose in groups.items()}
        shown = {name: (training.images[each], training.labels[each]) for name, each in chosen.items()}
        figures["training digits"] = draw.training_digits(images, shown, found.labels, names)
    return figures


def _of_network(found: Explanations, subject: Subject, background: Background) -> dict[str, Figure]:
    """Figures of what the model has learned."""
    figures = {}
    if found.plane is not None:
        figures["plane"] = draw.plane(found.plane, background.test.labels, found.misread)
    if found.weights is not None:
        by_class = [str(digit) for digit in range(10)]
        is_linear = len(found.weights) == len(by_class)
        figures["weights"] = (
            draw.signed_maps(found.weights, by_class, columns=5) if is_linear else draw.filters(found.weights)
        )
    figures |= {f"filters {layer}": draw.filters(each) for layer, each in found.filters.items()}
    maps = {f"feature maps {layer}": each for layer, each in found.feature_maps.items()}
    return figures | {name: draw.feature_maps(subject.images, each) for name, each in maps.items()}


def _of_shift(shift: Shift, background: Background) -> dict[str, Figure]:
    """Figures of the effects of one corruption."""
    corruption = CORRUPTIONS[shift.corruption]
    rows = {
        "accuracy": shift.correct.mean(axis=1),
        "confidence": shift.confidence.mean(axis=1),
        "similarity of the map": shift.similarity.mean(axis=1),
    }
    levels = [corruption.amount(severity) for severity in (0, *SEVERITIES)]
    figures = {f"shift {shift.corruption}": draw.shift(levels, corruption.unit, rows, shift.corruption)}
    chosen = shift.most_changed_maps(SHIFT_SEVERITY)[:SHOWN_CHANGED_MAPS]
    if len(chosen):
        labels, similarity = background.shifted.labels[chosen], shift.similarity[SHIFT_SEVERITY, chosen]
        figures[f"changed maps {shift.corruption}"] = draw.changed_maps(
            [shift.images[severity, chosen] for severity in (0, SHIFT_SEVERITY)],
            [shift.heat[severity, chosen] for severity in (0, SHIFT_SEVERITY)],
            [f"{label}: {each:.2f}" for label, each in zip(labels, similarity, strict=True)],
        )
    return figures
