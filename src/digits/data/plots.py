"""Figures of a data set."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from digits.reporting.figures import GREY, PALETTE, single


def class_distribution(labels_by_part: Mapping[str, np.ndarray]) -> Figure:
    """The share of each digit in each part of a data set, in per cent, from its labels, integers (N,)."""
    figure, axis = single(8, 3.6)
    width = 0.8 / len(labels_by_part)
    for index, (part, labels) in enumerate(labels_by_part.items()):
        shares = np.bincount(labels, minlength=10) * 100 / len(labels)
        offset = (index - (len(labels_by_part) - 1) / 2) * width
        axis.bar(np.arange(10) + offset, shares, width, label=f"{part} ({len(labels):,})", color=PALETTE[index])
    axis.axhline(10, color=GREY, linewidth=1, linestyle=":")
    axis.set(xticks=range(10), xlabel="digit", ylabel="share (%)", title="Class distribution")
    figure.legend(frameon=False, ncols=3, loc="outside lower center")
    return figure
