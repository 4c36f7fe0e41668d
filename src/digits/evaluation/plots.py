"""Figures of an evaluation: arrays in, a `Figure` out, never a file."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from digits.metrics import Reliability
from digits.metrics.intervals import wilson_interval
from digits.reporting.figures import BLUE, GREY, INK, PALETTE, RED, single, tidy


def confusion(counts: np.ndarray, title: str) -> Figure:
    """A confusion matrix twice: counts, and per cent of each true digit; correct answers stay uncoloured."""
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
        for true, answer in np.argwhere(counts):
            bold = "bold" if true == answer else "normal"
            axis.text(
                answer, true, form.format(numbers[true, answer]), ha="center", va="center", fontsize=8, weight=bold
            )
        axis.set(xticks=range(10), yticks=range(10), xlabel="answer", ylabel="true digit", title=name)
    figure.suptitle(title, color=INK)
    return figure


def reliability_diagram(by_model: Mapping[str, Reliability]) -> Figure:
    """Accuracy against confidence with 95 % intervals, above how many answers have that confidence."""
    figure = Figure((6, 5.4), layout="constrained")
    diagram, histogram = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    diagram.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="perfectly calibrated")
    for (name, bins), colour in zip(by_model.items(), PALETTE, strict=False):
        some = bins.counts > 0
        diagram.plot(bins.confidence[some], bins.accuracy[some], "o-", color=colour, label=name, markersize=4)
        right = np.round(bins.accuracy[some] * bins.counts[some]).astype(int)
        bounds = [wilson_interval(*pair) for pair in zip(right.tolist(), bins.counts[some].tolist(), strict=True)]
        diagram.vlines(bins.confidence[some], *zip(*bounds, strict=True), color=colour, alpha=0.4)
        histogram.stairs(bins.counts, bins.edges, color=colour)
    diagram.set(ylabel="accuracy", ylim=(-0.02, 1.02), title="Is the confidence honest?")
    histogram.set(xlabel="confidence", ylabel="images", yscale="log")
    diagram.legend(frameon=False)
    for axis in (diagram, histogram):
        tidy(axis)
    return figure


def confidence_histogram(confidence: np.ndarray, correct: np.ndarray, title: str) -> Figure:
    """How confident the right answers are and how confident the wrong ones, float (N,) and bool (N,)."""
    figure, axis = single(7, 3.4)
    bins = np.linspace(0, 1, 41)
    axis.hist(confidence[correct], bins, color=BLUE, alpha=0.75, label=f"right ({correct.sum():,})")
    axis.hist(confidence[~correct], bins, color=RED, alpha=0.75, label=f"wrong ({(~correct).sum():,})")
    axis.set(yscale="log", xlabel="confidence", ylabel="images", title=title)
    axis.legend(frameon=False, loc="upper left")
    return figure
