"""Tables of a study's summary, as in `results.json`, for the terminal and for pages."""

from collections.abc import Mapping
from statistics import fmean

from digits.checkpoints import cards
from digits.reporting.tables import markdown_table

MEASURES = {"clean": "clean", "mnist_c": "MNIST-C levels", "handwriting": "handwriting"}
HEADER = (
    "variant",
    "clean",
    "worst seed",
    "MNIST-C levels",
    "worst corruption",
    "handwriting",
    "ECE clean",
    "ECE corrupted",
    "training time",
)


def text(summary: Mapping) -> str:
    """The table of variants in Markdown, and below it their differences from the first."""
    first = next(iter(summary["variants"]))
    compared = differences(summary)
    below = f"\n\n{markdown_table((f'difference from {first}', *MEASURES.values()), compared)}" if compared else ""
    return markdown_table(HEADER, rows(summary)) + below


def rows(summary: Mapping) -> list[list[str]]:
    """A row per variant: means over its seeds with intervals."""
    found = []
    for name, variant in summary["variants"].items():
        accuracy, by_corruption = variant["accuracy"], variant["by_corruption"]
        worst = min(by_corruption, key=lambda name: by_corruption[name])
        found.append(
            [
                name,
                with_interval(accuracy["clean"]),
                f"{accuracy['clean']['worst']:.2%}",
                with_interval(accuracy["mnist_c"]),
                f"{worst} {by_corruption[worst]:.1%}",
                with_interval(accuracy["handwriting"]) if "handwriting" in accuracy else "",
                f"{variant['ece']['clean']:.2%}",
                f"{variant['ece']['mnist_c']:.2%}",
                cards.duration(fmean(variant["training_seconds"])),
            ]
        )
    return found


def differences(summary: Mapping) -> list[list[str]]:
    """A row per variant after the first: differences from it in points, with intervals and p-values."""
    cells = {}
    for each in summary["comparisons"]:
        value, low, high = (100 * each["difference"][key] for key in ("value", "low", "high"))
        chance = "" if each["p_value"] is None else f", p {each['p_value']:.2g}"
        cells.setdefault(each["variant"], {})[each["measure"]] = f"{value:+.2f} ({low:+.2f} to {high:+.2f}){chance}"
    return [[name, *(found.get(measure, "") for measure in MEASURES)] for name, found in cells.items()]


def with_interval(estimate: Mapping) -> str:
    """An accuracy in per cent with the bounds of its interval."""
    return f"{estimate['value']:.2%} ({100 * estimate['low']:.2f} – {100 * estimate['high']:.2f})"
