"""Published models compared by the scores on their cards."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from digits import files
from digits.checkpoints import cards
from digits.reporting.figures import BLUE, save_figure, shortened, single
from digits.reporting.tables import markdown_table


def comparison_table(published: Sequence[dict]) -> str:
    """The cards' test scores as a Markdown table that also reads well on a terminal, best first."""
    rows = []
    for card in sorted(published, key=lambda card: -card["scores"]["test"]["accuracy"]):
        test = card["scores"]["test"]
        low, high = test["interval"]
        trained = cards.duration(card["training"]["seconds"])
        interval = f"{low:.2%} – {high:.2%}"
        rows.append([f"`{card['name']}`", f"{test['accuracy']:.2%}", interval, f"{card['parameters']:,}", trained])
    return markdown_table(["model", "test accuracy", "95 % interval", "parameters", "trained in"], rows)


def write_comparison(published: Sequence[dict], folder: Path) -> Path:
    """Write `comparison.png`: the cards' test error rates."""
    tests = [card["scores"]["test"] for card in published]
    figure = error_rates(
        [card["name"] for card in published], [test["accuracy"] for test in tests], [test["interval"] for test in tests]
    )
    return save_figure(figure, files.output_folder(folder) / "comparison.png")


def error_rates(names: Sequence[str], accuracies: Sequence[float], intervals: Sequence[Sequence[float]]) -> Figure:
    """Error rates of models on the same digits with 95 % intervals, the best on top, on a logarithmic scale."""
    order = sorted(range(len(names)), key=lambda index: accuracies[index])
    figure, axis = single(8, 0.42 * len(names) + 1.3)
    for row, index in enumerate(order):
        error = 100 * (1 - accuracies[index])
        low, high = (100 * (1 - bound) for bound in reversed(intervals[index]))
        axis.plot([low, high], [row, row], color=BLUE, linewidth=3, alpha=0.4, solid_capstyle="round")
        axis.plot(error, row, "o", color=BLUE)
        axis.annotate(f"{error:.2f} %", (high, row), (7, 0), textcoords="offset points", va="center", fontsize=9)
    axis.set_yticks(range(len(names)), [shortened(names[index]) for index in order])
    axis.set(xscale="log", xlabel="test error rate (%), with 95 % interval", ylim=(-0.6, len(names) - 0.4))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.margins(x=0.12)
    smallest, largest = axis.get_xlim()
    if largest < 10 * smallest:
        axis.xaxis.set_minor_formatter("{x:g}")
    axis.grid(axis="x", which="both", alpha=0.15)
    return figure
