"""Figures of a data set: arrays in, a `Figure` out, never a file."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from digits.reporting.figures import GREY, PALETTE, single


def class_distribution(labels_by_part: Mapping[str, np.ndarray]) -> Figure:
    """Share of each digit in each part of the data, in percent, with the counts of the whole."""
    figure, axis = single(8, 3.6)
    width = 0.8 / len(labels_by_part)
    for index, (part, labels) in enumerate(labels_by_part.items()):
        shares = np.bincount(labels, minlength=10) * 100 / len(labels)
        offset = (index - (len(labels_by_part) - 1) / 2) * width
        axis.bar(np.arange(10) + offset, shares, width, label=f"{part} ({len(labels):,})", color=PALETTE[index])
    axis.axhline(10, color=GREY, linewidth=1, linestyle=":")
    axis.set(xticks=range(10), xlabel="digit", ylabel="share (%)", title="How often each digit occurs")
    figure.legend(frameon=False, ncols=3, loc="outside lower center")
    return figure
