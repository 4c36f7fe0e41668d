"""The tables of `docs/explanations.md` and `docs/attribution_results.md`, from the benchmark of attribution methods."""

from collections.abc import Mapping

from digits.explanations.attribution import METHODS
from digits.explanations.benchmark import BASELINES, TITLES
from digits.explanations.counterfactual import comparison_text
from digits.explanations.faithfulness import FILLINGS
from digits.reporting.tables import markdown_table


def choice_text(found: Mapping) -> str:
    """The default methods, and the ranking of all methods on the models with convolutions."""
    ranked = found["ranking"]["convolutional"]
    best, dense = (found["ranking"][kind]["methods"][0]["method"] for kind in ("convolutional", "dense"))
    models = {name: found["models"][name]["methods"] for name in ranked["models"]}
    rows = [
        [
            TITLES[row["method"]],
            f"{row['rank']:.1f}",
            *(_with_margin(each[row["method"]]["faithfulness"]) for each in models.values()),
            _randomisation(row, models),
            "yes" if row["beats_baselines"] else "no",
        ]
        for row in ranked["methods"]
    ]
    rows += [
        [
            name,
            "",
            *(_with_margin(each[baseline]["faithfulness"]) for each in models.values()),
            "independent of the model",
            "",
        ]
        for baseline, name in BASELINES.items()
    ]
    header = [
        "method",
        "mean rank",
        *(f"faithfulness, `{name}`" for name in models),
        "parameter randomisation",
        "beats baselines",
    ]
    choice = (
        f"The default is **{TITLES[best]}**; for models without convolutions, {TITLES[dense].lower()}. Of the methods "
        "that pass\nparameter randomisation and are more faithful than both baselines, it has the best mean rank over "
        "faithfulness,\nsensitivity-n, agreement with exact Shapley values, and stability."
    )
    return f"{choice}\n\n{markdown_table(header, rows)}"


def benchmark_text(found: Mapping) -> str:
    """All figures of all methods, one table per model."""
    return "\n\n".join(_model_text(name, each) for name, each in found["models"].items())


def agreement_text(captum: Mapping) -> str:
    """How far maps are from Captum's for the same weights, as `benchmarks/captum.py` measured it."""
    rows = []
    for model in ("mnist_advanced", "mnist_cnn"):
        for name, double in captum[model]["float64"].items():
            if name in METHODS:
                row = [f"`{model}`", TITLES[name]]
                for found in (double, captum[model]["float32"][name]):
                    row += [f"{found['median']:.1e}", f"{found['largest']:.1e}", str(found["digits_beyond_1e-4"])]
                rows.append(row)
    columns = [
        f"{precision}, {what}" for precision in ("float64", "float32") for what in ("median", "largest", "> 1e-4")
    ]
    return markdown_table(["model", "method", *columns], rows)


def _model_text(name: str, found: Mapping) -> str:
    kinds = [f"{way} {filling}" for way in ("deletion", "insertion") for filling in FILLINGS]
    methods = sorted(found["methods"].items(), key=lambda item: -item[1]["faithfulness"]["value"])
    rows = [
        [
            TITLES[method],
            *(_with_margin(figures[each]) for each in ("faithfulness", *kinds, "sensitivity", "shapley", "stability")),
            _with_margin(figures["randomisation"][-1]) if "randomisation" in figures else "–",
            f"{figures['evidence']['value']:.1%}",
        ]
        for method, figures in methods
    ]
    header = ["method", "faithfulness", *kinds, "sensitivity-n", "Shapley", "stability", "randomised", "with a map"]
    return f"### `{name}`\n\n{markdown_table(header, rows)}\n\n{comparison_text(found['counterfactuals'])}"


def _randomisation(row: Mapping, models: Mapping) -> str:
    """Whether a method passes parameter randomisation, and its largest remaining correlation on any model."""
    kept = max(abs(each[row["method"]]["randomisation"][-1]["value"]) for each in models.values())
    return f"{'passes' if row['passes_randomisation'] else '**fails**'} ({kept:.2f})"


def _with_margin(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} ± {(estimate['high'] - estimate['low']) / 2:.3f}"
