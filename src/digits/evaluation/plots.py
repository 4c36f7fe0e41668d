"""Figures of an evaluation."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from digits.metrics import Reliability, RiskCoverage
from digits.metrics.intervals import wilson_interval
from digits.reporting.figures import BLUE, GREY, INK, RED, legend_below, series, single, tidy


def confusion_matrix(counts: np.ndarray, title: str) -> Figure:
    """A confusion matrix, int (10, 10), as counts and in per cent of each true digit; only errors are coloured."""
    figure = Figure((11, 5), layout="constrained")
    rows = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mistakes = counts - np.diag(np.diag(counts))
    for axis, numbers, shade, form, name in zip(
        figure.subplots(1, 2),
        (counts, 100 * counts / rows),
        (mistakes, mistakes / rows),
        ("{:.0f}", "{:.1f}"),
        ("images", "% of the true digit"),
        strict=True,
    ):
        axis.imshow(shade, cmap="Reds", vmin=0, vmax=max(shade.max(), 1e-9) * 1.4)
        for true, predicted in np.argwhere(counts):
            weight, text = "bold" if true == predicted else "normal", form.format(numbers[true, predicted])
            axis.text(predicted, true, text, ha="center", va="center", fontsize=8, weight=weight)
        axis.set(xticks=range(10), yticks=range(10), xlabel="predicted digit", ylabel="true digit", title=name)
    figure.suptitle(title, color=INK)
    return figure


def reliability_diagram(by_model: Mapping[str, Reliability]) -> Figure:
    """Accuracy by confidence with 95 % intervals, and the number of predictions in each bin."""
    figure = Figure((6, 5.4), layout="constrained")
    diagram, histogram = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    diagram.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfectly calibrated")
    for index, (name, bins) in enumerate(by_model.items()):
        style, used = series(index), bins.counts > 0
        diagram.plot(bins.confidence[used], bins.accuracy[used], **style, label=name, markersize=4)
        correct = np.round(bins.accuracy[used] * bins.counts[used]).astype(int)
        bounds = [wilson_interval(*pair) for pair in zip(correct.tolist(), bins.counts[used].tolist(), strict=True)]
        diagram.vlines(bins.confidence[used], *zip(*bounds, strict=True), color=style["color"], alpha=0.4)
        histogram.stairs(bins.counts, bins.edges, color=style["color"], linestyle=style["linestyle"])
    diagram.set(ylabel="accuracy", ylim=(-0.02, 1.02), title="Reliability diagram")
    histogram.set(xlabel="confidence", ylabel="images", yscale="log")
    for axis in (diagram, histogram):
        tidy(axis)
    legend_below(figure, diagram)
    return figure


def risk_coverage(by_model: Mapping[str, RiskCoverage]) -> Figure:
    """Errors among the answers given, by the fraction of the digits, the least confident ones, that isn't answered."""
    figure, axis = single(6, 4)
    for index, (name, curve) in enumerate(by_model.items()):
        style = {key: series(index)[key] for key in ("color", "linestyle")}
        axis.plot(100 - 100 * curve.coverage, 100 * curve.risk, **style, label=name)
    axis.set_xscale("symlog", linthresh=0.1)
    axis.set(xlabel="not answered, % of the digits", ylabel="wrong, % of the answers", ylim=(0, None), xlim=(0, 100))
    axis.set_xticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    axis.legend(frameon=False, loc="upper right")
    return figure


def confidence_histogram(confidence: np.ndarray, correct: np.ndarray, title: str) -> Figure:
    """The distribution of confidence, float (N,) in [0, 1], of correct and of wrong predictions, bool (N,)."""
    figure, axis = single(7, 3.4)
    bins = np.linspace(0, 1, 41).tolist()
    axis.hist(confidence[correct], bins, color=BLUE, alpha=0.75, label=f"correct ({correct.sum():,})")
    axis.hist(confidence[~correct], bins, color=RED, alpha=0.75, label=f"wrong ({(~correct).sum():,})")
    axis.set(yscale="log", xlabel="confidence", ylabel="images", title=title)
    axis.legend(frameon=False, loc="upper left")
    return figure
