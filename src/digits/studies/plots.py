"""Figures of a study: every seed, the means and their intervals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from digits.metrics.intervals import Estimate
from digits.reporting.figures import BLUE, GREY, INK, shortened, tidy
from digits.studies.results import Results, Variant
from digits.studies.tables import MEASURES


def seeds_and_means(variants: Sequence[Variant]) -> Figure:
    """Error rates by measure, a row per variant: a dot per seed, the mean and its interval."""
    figure, panels = _panels(list(variants[0].estimates), [variant.name for variant in variants])
    for measure, axis in panels.items():
        _line_at(axis, 100 * (1 - variants[0].estimates[measure].value))
        for row, variant in enumerate(variants):
            found = variant.estimates[measure]
            errors = Estimate(1 - found.value, 1 - found.high, 1 - found.low)
            _draw(axis, row, 1 - variant.accuracy[measure], errors)
        axis.set_xlabel("error rate (%)")
    return figure


def differences(results: Results) -> Figure:
    """Differences of accuracy from the first variant, in points, by measure: a dot per seed, the mean, its interval."""
    first, *others = results.variants
    figure, panels = _panels(list(first.estimates), [variant.name for variant in others])
    rows = {variant.name: (row, variant.accuracy) for row, variant in enumerate(others)}
    for axis in panels.values():
        _line_at(axis, 0)
        axis.set_xlabel(f"accuracy minus {shortened(first.name)}'s (points)")
    for each in results.comparisons:
        row, accuracy = rows[each.variant]
        _draw(panels[each.measure], row, accuracy[each.measure] - first.accuracy[each.measure], each.difference)
    return figure


def _panels(measures: Sequence[str], rows: Sequence[str]) -> tuple[Figure, dict[str, Axes]]:
    """Panels side by side, one per measure, with the names of the rows on the left."""
    shown = [measure for measure in MEASURES if measure in measures]
    figure = Figure((1.6 + 3.1 * len(shown), 1.3 + 0.36 * len(rows)), layout="constrained")
    axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    axes[0].set_yticks(range(len(rows)), [shortened(name.replace("_", " ")) for name in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    for measure, axis in zip(shown, axes, strict=True):
        axis.set_title(MEASURES[measure], loc="left", fontsize=10, color=INK)
        tidy(axis)
    return figure, dict(zip(shown, axes, strict=True))


def _line_at(axis: Axes, x: float) -> None:
    axis.axvline(x, color=GREY, linewidth=0.8, linestyle=":")


def _draw(axis: Axes, row: int, seeds: np.ndarray, mean: Estimate) -> None:
    axis.plot(100 * seeds, [row - 0.22] * len(seeds), "o", color=BLUE, alpha=0.7, markersize=4, markeredgewidth=0)
    axis.plot([100 * mean.low, 100 * mean.high], [row, row], color=INK, linewidth=1.2)
    axis.plot(100 * mean.value, row, "D", color=INK, markersize=4)
