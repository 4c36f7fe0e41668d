"""A study's summary, as `results.json` holds it, as tables: for the terminal and for its page."""

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
    "weakest of them",
    "handwriting",
    "ECE clean",
    "ECE damaged",
    "trained in",
)


def text(summary: Mapping) -> str:
    """The study's table in Markdown, and below it the comparisons with the first variant."""
    first = next(iter(summary["variants"]))
    compared = duels(summary)
    below = f"\n\n{markdown_table((f'difference from {first}', *MEASURES.values()), compared)}" if compared else ""
    return markdown_table(HEADER, rows(summary)) + below


def rows(summary: Mapping) -> list[list[str]]:
    """What each variant reached, means over its seeds with their intervals."""
    found = []
    for name, variant in summary["variants"].items():
        accuracy, by_corruption = variant["accuracy"], variant["by_corruption"]
        weakest = min(by_corruption, key=by_corruption.get)
        found.append(
            [
                name,
                with_interval(accuracy["clean"]),
                f"{accuracy['clean']['worst']:.2%}",
                with_interval(accuracy["mnist_c"]),
                f"{weakest} {by_corruption[weakest]:.1%}",
                with_interval(accuracy["handwriting"]) if "handwriting" in accuracy else "",
                f"{variant['ece']['clean']:.2%}",
                f"{variant['ece']['mnist_c']:.2%}",
                cards.duration(fmean(variant["training_seconds"])),
            ]
        )
    return found


def duels(summary: Mapping) -> list[list[str]]:
    """For each variant after the first: its differences, in points, with what a paired test says."""
    cells = {}
    for each in summary["comparisons"]:
        value, low, high = (100 * each["difference"][key] for key in ("value", "low", "high"))
        chance = "" if each["p_value"] is None else f", p {each['p_value']:.2g}"
        cells.setdefault(each["variant"], {})[each["measure"]] = f"{value:+.2f} ({low:+.2f} to {high:+.2f}){chance}"
    return [[name, *(found.get(measure, "") for measure in MEASURES)] for name, found in cells.items()]


def with_interval(estimate: Mapping) -> str:
    """An accuracy in per cent with the bounds of its interval."""
    return f"{estimate['value']:.2%} ({100 * estimate['low']:.2f} – {100 * estimate['high']:.2f})"
