"""Tables of a study's summary, as in `results.json`, for its report, the terminal and the docs."""

from collections.abc import Mapping
from statistics import fmean

from digits.checkpoints import cards
from digits.reporting.tables import Cell, Table, markdown_table, number, percent, percent_estimate, points

MEASURES = {"clean": "clean", "mnist_c": "MNIST-C levels", "handwriting": "handwriting"}


def of_report(summary: Mapping) -> dict[str, Table]:
    """The tables of a study's report, by name."""
    runs, scored_on = summary["runs"], summary["scored_on"]
    compared = {(each["variant"], each["measure"]): each for each in summary["comparisons"]}
    changed = list(dict.fromkeys(variant for variant, _ in compared))
    columns: list = [("variant", changed)]
    for measure, title in MEASURES.items():
        found = [compared.get((variant, measure)) for variant in changed]
        p_values = [each and each["p_value"] for each in found]
        columns.append((f"{title} (points)", [each and _difference(each) for each in found]))
        columns.append((f"{title}, p", [None if p is None else number(p, ".2g") for p in p_values]))
    accuracies = {"validation": "validation", scored_on: "clean", "MNIST-C levels": "mnist_c"}
    tables = [
        variants(summary),
        Table("differences", "Differences in accuracy from the first variant, with 95 % intervals.", columns),
        Table(
            "runs",
            "All runs.",
            [
                ("variant", [run["variant"] for run in runs]),
                ("seed", [run["seed"] for run in runs]),
                *((title, [percent(run[key]) for run in runs]) for title, key in accuracies.items()),
                ("seconds", [number(run["seconds"], ".0f") for run in runs]),
            ],
        ),
    ]
    return {table.name: table for table in tables}


def variants(summary: Mapping) -> Table:
    """A row per variant: means over its seeds with intervals."""
    found = list(summary["variants"].values())
    accuracies = {
        measure: [each["accuracy"].get(measure) and percent_estimate(each["accuracy"][measure]) for each in found]
        for measure in MEASURES
    }
    worst = [min(each["by_corruption"].items(), key=lambda item: item[1]) for each in found]
    return Table(
        "variants",
        "Means over the seeds, with 95 % intervals.",
        [
            ("variant", list(summary["variants"])),
            ("clean", accuracies["clean"]),
            ("worst seed", [percent(each["accuracy"]["clean"]["worst"]) for each in found]),
            ("MNIST-C levels", accuracies["mnist_c"]),
            ("worst corruption", [Cell(f"{name} {100 * accuracy:.1f} %") for name, accuracy in worst]),
            ("handwriting", accuracies["handwriting"]),
            ("ECE clean", [percent(each["ece"]["clean"]) for each in found]),
            ("ECE corrupted", [percent(each["ece"]["mnist_c"]) for each in found]),
            (
                "training time",
                [Cell(cards.duration(mean), mean) for mean in (fmean(each["training_seconds"]) for each in found)],
            ),
        ],
    )


def text(summary: Mapping) -> str:
    """The table of variants in Markdown, and below it their differences from the first."""
    first = next(iter(summary["variants"]))
    compared = differences(summary)
    below = f"\n\n{markdown_table((f'difference from {first}', *MEASURES.values()), compared)}" if compared else ""
    return variants(summary).markdown() + below


def differences(summary: Mapping) -> list[list[str]]:
    """A row per variant after the first: differences from it in points, with intervals and p-values."""
    cells = {}
    for each in summary["comparisons"]:
        difference = _difference(each)
        chance = "" if each["p_value"] is None else f", p {each['p_value']:.2g}"
        cells.setdefault(each["variant"], {})[each["measure"]] = f"{difference.text} ({difference.note}){chance}"
    return [[name, *(found.get(measure, "") for measure in MEASURES)] for name, found in cells.items()]


def _difference(compared: Mapping) -> Cell:
    difference = compared["difference"]
    return points(difference["value"], (difference["low"], difference["high"]))
