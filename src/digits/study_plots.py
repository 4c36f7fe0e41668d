"""A picture of a study: every seed, the means and their intervals."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from digits.plots import BLUE, GREY, INK, tidy
from digits.study_results import Variant
from digits.study_tables import MEASURES


def seeds_and_means(variants: Sequence[Variant]) -> Figure:
    """Error rates by measure, a row a variant: a dot a seed, the mean with its interval, a line at the first's mean."""
    shown = [measure for measure in MEASURES if measure in variants[0].estimates]
    figure = Figure((1.6 + 3.1 * len(shown), 1.3 + 0.36 * len(variants)), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for measure, axis in zip(shown, panels, strict=True):
        first = variants[0].estimates[measure].value
        axis.axvline(100 * (1 - first), color=GREY, linewidth=0.8, linestyle=":")
        for row, variant in enumerate(variants):
            found, errors = variant.estimates[measure], 100 * (1 - variant.accuracy[measure])
            axis.plot(errors, [row - 0.22] * len(errors), "o", color=BLUE, alpha=0.7, markersize=4, markeredgewidth=0)
            axis.plot([100 * (1 - found.high), 100 * (1 - found.low)], [row, row], color=INK, linewidth=1.2)
            axis.plot(100 * (1 - found.value), row, "D", color=INK, markersize=4)
        axis.set_title(MEASURES[measure], loc="left", fontsize=10, color=INK)
        axis.set_xlabel("errors (%)")
        tidy(axis)
    panels[0].set_yticks(range(len(variants)), [variant.name.replace("_", " ") for variant in variants])
    panels[0].set_ylim(len(variants) - 0.5, -0.5)
    return figure
