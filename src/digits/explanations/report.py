"""The files of an explanation: pictures for each model, the study of the methods, and one HTML page."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from digits import files
from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.explanations import benchmark, shapley
from digits.explanations import plots as draw
from digits.explanations.overview import Background, Explanations, Subject
from digits.explanations.shift import Drift
from digits.explanations.tables import TITLES, counterfactual_text
from digits.reporting import figures as reporting_figures
from digits.reporting import html

# Digits of which pictures show more than one image each.
SHOWN_WITH_GROUND_TRUTH = 5
SHOWN_RELATIVES = 5
SHOWN_MOVED = 8
DRIFT_SEVERITY = 2


def write(found: Sequence[Explanations], subject: Subject, background: Background, study: dict, folder: Path) -> Path:
    """Write all pictures, one folder a model, `study.json` if there is a study, and `report.html`.

    Args:
        study: as `method_study.study` gives it; empty if the methods weren't judged.

    Returns:
        The path of the page.
    """
    models = []
    for each in found:
        own = files.output_folder(folder / each.name)
        figures = _of_answers(each, subject, background) | _of_network(each, subject, background)
        for drift in each.drifts:
            figures |= _of_drift(drift, background)
        models.append({"name": each.name, "pictures": _write(figures, own), "found": each})
    if study:
        files.write_text(folder / "study.json", json.dumps(study, indent=1) + "\n")
    page = html.render(
        "explanations.html.j2",
        models=models,
        subject=subject,
        study=study,
        judged=_write(study_figures(study), folder) if study else {},
        titles=TITLES,
        counterfactual_text=counterfactual_text,
    )
    files.write_text(folder / "report.html", page)
    return folder / "report.html"


def study_figures(study: dict) -> dict[str, Figure]:
    """Pictures of how faithful the methods are: of all models together, and curves and cascades of each."""
    figures = {}
    for kind, ranked in study["ranking"].items():
        models = {name: study["models"][name]["methods"] for name in ranked["models"]}
        by_method = {
            TITLES[name]: {model: each[name]["faithfulness"] for model, each in models.items()}
            for name in (*(row["method"] for row in ranked["methods"]), *benchmark.BASELINES)
        }
        figures[f"faithfulness {kind}"] = draw.faithfulness(by_method, list(benchmark.BASELINES.values()))
    for model, each in study["models"].items():
        curves = {TITLES[name]: by_filling for name, by_filling in each["curves"].items()}
        figures[f"curves {model}"] = draw.deletion_and_insertion(curves, list(benchmark.BASELINES.values()))
        similarity = {
            TITLES[name]: [stage["value"] for stage in figure["sanity"]]
            for name, figure in each["methods"].items()
            if "sanity" in figure
        }
        figures[f"cascade {model}"] = draw.cascade(each["stages"], similarity)
    return figures


def _of_answers(found: Explanations, subject: Subject, background: Background) -> dict[str, Figure]:
    """Pictures of why the model answered the digits as it did."""
    images, count = subject.images, SHOWN_WITH_GROUND_TRUTH
    names = [f"{name}: {answer}" for name, answer in zip(subject.names, found.answers, strict=True)]
    heats = {TITLES[name]: each.heat for name, each in found.attributions.items()}
    sums = {TITLES[name]: shapley.patch_sums(each.signed[:count]) for name, each in found.attributions.items()}
    pairs = zip(found.contrast.target, found.contrast.versus, strict=True)
    contrasts = [f"{target} and not {other}" for target, other in pairs]
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
        chosen = {name: choose(SHOWN_RELATIVES) for name, choose in groups.items()}
        shown = {name: (training.images[each], training.labels[each]) for name, each in chosen.items()}
        figures["relatives"] = draw.relatives(images, shown, found.labels, names)
    return figures


def _of_network(found: Explanations, subject: Subject, background: Background) -> dict[str, Figure]:
    """Pictures of what the model has learned."""
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


def _of_drift(drift: Drift, background: Background) -> dict[str, Figure]:
    """Pictures of how the reasons move under one corruption."""
    corruption = CORRUPTIONS[drift.corruption]
    rows = {
        "accuracy": drift.correct.mean(axis=1),
        "confidence": drift.confidence.mean(axis=1),
        "similarity of the map": drift.similarity.mean(axis=1),
    }
    levels = [corruption.amount(severity) for severity in (0, *SEVERITIES)]
    figures = {f"drift {drift.corruption}": draw.drift(levels, corruption.unit, rows, drift.corruption)}
    moved = drift.moved_reasons(DRIFT_SEVERITY)[:SHOWN_MOVED]
    if len(moved):
        labels, likeness = background.drifting.labels[moved], drift.similarity[DRIFT_SEVERITY, moved]
        figures[f"moved {drift.corruption}"] = draw.moved_reasons(
            [drift.images[severity, moved] for severity in (0, DRIFT_SEVERITY)],
            [drift.heat[severity, moved] for severity in (0, DRIFT_SEVERITY)],
            [f"{label}: {each:.2f}" for label, each in zip(labels, likeness, strict=True)],
        )
    return figures


def _write(figures: dict[str, Figure], folder: Path) -> dict[str, str]:
    """Write figures as PNG; give their `data:` addresses by name."""
    written = {}
    for name, figure in figures.items():
        file = name.replace(" ", "_").replace("#", "_") + ".png"
        written[name] = html.inline(reporting_figures.save_figure(figure, folder / file))
    return written
