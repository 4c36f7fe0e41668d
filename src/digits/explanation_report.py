"""The files of an explanation: pictures for each model, the study of the methods, and one HTML page."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from digits import explanation_plots as draw
from digits import method_study, pages, paths, shapley
from digits.attribution import METHODS
from digits.corruptions import CORRUPTIONS, SEVERITIES
from digits.data import Digits
from digits.explanation_tables import TITLES, counterfactual_text
from digits.explanations import Explanations, Subject

# Digits of which pictures show more than one image each.
SHOWN_WITH_GROUND_TRUTH = 5
SHOWN_RELATIVES = 5
SHOWN_MOVED = 8
DRIFT_SEVERITY = 2


def write(
    found: Sequence[Explanations],
    subject: Subject,
    training: Digits,
    test: Digits,
    drifting: Digits,
    study: dict,
    folder: Path,
) -> Path:
    """Write all pictures, one folder a model, `study.json` if there is a study, and `report.html`.

    Args:
        study: as `method_study.study` gives it; empty if the methods weren't judged.

    Returns:
        The path of the page.
    """
    models = []
    for each in found:
        own = paths.output_folder(folder / each.name)
        figures = _figures(each, subject, training, test, drifting)
        models.append({"name": each.name, "pictures": _write(figures, own), "found": each})
    if study:
        paths.write_text(folder / "study.json", json.dumps(study, indent=1) + "\n")
    page = pages.render(
        "explanations.html.j2",
        models=models,
        subject=subject,
        study=study,
        judged=_write(study_figures(study), folder) if study else {},
        titles=TITLES,
        counterfactual_text=counterfactual_text,
    )
    paths.write_text(folder / "report.html", page)
    return folder / "report.html"


def study_figures(study: dict) -> dict[str, Figure]:
    """Pictures of how faithful the methods are: of all models together, and curves and cascades of each."""
    figures = {}
    for kind, ranked in study["ranking"].items():
        models = {name: study["models"][name]["methods"] for name in ranked["models"]}
        by_method = {
            TITLES[name]: {model: each[name]["faithfulness"] for model, each in models.items()}
            for name in (*(row["method"] for row in ranked["methods"]), *method_study.BASELINES)
        }
        figures[f"faithfulness {kind}"] = draw.faithfulness(by_method, list(method_study.BASELINES.values()))
    for model, each in study["models"].items():
        figures[f"curves {model}"] = draw.deletion_and_insertion(
            {TITLES[name]: c for name, c in each["curves"].items()}
        )
        similarity = {
            TITLES[name]: [stage["value"] for stage in figure["sanity"]]
            for name, figure in each["methods"].items()
            if "sanity" in figure
        }
        figures[f"cascade {model}"] = draw.cascade(each["stages"], similarity)
    return figures


def _figures(
    found: Explanations, subject: Subject, training: Digits, test: Digits, drifting: Digits
) -> dict[str, Figure]:
    images, count = subject.images, SHOWN_WITH_GROUND_TRUTH
    names = [f"{name}: {answer}" for name, answer in zip(subject.names, found.answers, strict=True)]
    heats = {METHODS[name].title: each.heat for name, each in found.attributions.items()}
    pairs = zip(found.contrast.target, found.contrast.versus, strict=True)
    figures = {
        "heat maps": draw.heat_maps(images, heats, names),
        "contrast": draw.signed_maps(
            found.contrast.signed, [f"{target} and not {other}" for target, other in pairs], outline=images
        ),
        "ground truth": draw.ground_truth(
            images[:count],
            found.effects[:count],
            found.shares[:count],
            {METHODS[name].title: shapley.patch_sums(each.signed[:count]) for name, each in found.attributions.items()},
            names[:count],
        ),
    }
    turned = [(image, each) for image, each in zip(images, found.counterfactuals, strict=True) if each and each.found]
    if turned:
        figures["counterfactuals"] = draw.counterfactuals(
            np.stack([image for image, _ in turned]),
            np.stack([each.image for _, each in turned]),
            [f"{each.changed.sum()} px: {each.target}" for _, each in turned],
        )
    if found.related:
        groups = {
            "nearest": found.related.nearest(5),
            "helpful": found.related.helpful(5),
            "harmful": found.related.harmful(5),
        }
        shown = {name: (training.images[each], training.labels[each]) for name, each in groups.items()}
        figures["relatives"] = draw.relatives(images, shown, found.labels, names)
        figures["plane"] = draw.plane(found.plane, test.labels, found.misread)
    if found.weights is not None:
        units = found.weights if len(found.weights) > 10 else found.weights[:10]
        figures["weights"] = draw.signed_maps(
            units, [str(unit) for unit in range(len(units))], columns=16 if len(units) > 10 else 5
        )
    figures |= {f"filters {layer}": draw.tiles(each) for layer, each in found.filters.items()}
    figures |= {f"feature maps {layer}": draw.feature_maps(images, each) for layer, each in found.feature_maps.items()}
    for each in found.drifts:
        corruption = CORRUPTIONS[each.corruption]
        rows = {
            "accuracy": each.correct.mean(axis=1),
            "confidence": each.confidence.mean(axis=1),
            "similarity of the map": each.similarity.mean(axis=1),
        }
        levels = [corruption.amount(severity) for severity in (0, *SEVERITIES)]
        figures[f"drift {each.corruption}"] = draw.drift(levels, corruption.unit, rows, each.corruption)
        moved = each.moved_reasons(DRIFT_SEVERITY)[:SHOWN_MOVED]
        if len(moved):
            figures[f"moved {each.corruption}"] = draw.moved_reasons(
                [
                    (each.images[0, i], each.heat[0, i], each.images[DRIFT_SEVERITY, i], each.heat[DRIFT_SEVERITY, i])
                    for i in moved
                ],
                [f"{drifting.labels[i]}: {each.similarity[DRIFT_SEVERITY, i]:.2f}" for i in moved],
            )
    return figures


def _write(figures: dict[str, Figure], folder: Path) -> dict[str, str]:
    """Write figures as PNG; give their `data:` addresses by name."""
    written = {}
    for name, figure in figures.items():
        file = name.replace(" ", "_").replace("#", "_") + ".png"
        written[name] = pages.inline(pages.save_figure(figure, folder / file))
    return written
